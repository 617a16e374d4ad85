"""The benchmark runs, and notices what it must."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 50


def run(*arguments):
    """Return the exit code and what was written; the input stays open, or the processes would end with it."""
    command = [sys.executable, "-m", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
        written = process.stdout.read().decode("utf-8", "replace")
        return process.wait(SECONDS), written


@pytest.fixture
def backend_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.benchmarks.backend", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        wait_for(port)
        yield port
        process.kill()


def wait_for(port):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def faults_of(port, asked, expected, end):
    body = json.dumps({"stream": True, "max_tokens": asked})
    request = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    load = {"port": port, "request": request, "connections": 2, "requests": 6, "tokens": expected, "end": end}
    _, written = run("tests.benchmarks.load", json.dumps({**load, "is_paced": False, "seconds": 20}))
    outcome = json.loads(written.splitlines()[-1])
    assert (outcome["requests"], outcome["tokens"]) == (6, 6 * asked)
    return outcome["faults"]


@pytest.mark.parametrize(
    ("asked", "expected", "end", "faults"),
    [
        (700, 700, "[DONE]", {}),
        (700, 701, "[DONE]", {"tokens missing": 6}),
        (700, 699, "[DONE]", {"too many tokens": 6}),
        (700, 700, '"done":true', {"no end mark": 6}),
    ],
)
def test_the_load_client_counts_what_is_wrong(backend_port, asked, expected, end, faults):
    assert faults_of(backend_port, asked, expected, end) == faults


def test_the_load_client_says_when_nobody_is_there():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    load = {"port": port, "request": "", "connections": 1, "requests": 3, "tokens": 0, "end": ""}
    _, written = run("tests.benchmarks.load", json.dumps({**load, "is_paced": False, "seconds": 20}))
    assert json.loads(written)["faults"] == {"ConnectionRefusedError": 3}


def test_the_benchmark_measures_and_draws(tmp_path):
    data, picture = tmp_path / "data.json", tmp_path / "rates.svg"
    chosen = ("--quick", "--only", "first", "--target", "direct", "--target", "ours", "--markdown")
    code, written = run("tests.benchmarks", *chosen, "--json", str(data), "--svg", str(picture))
    assert code == 0, written
    rows = json.loads(data.read_text(encoding="utf-8"))["rows"]
    assert [(row["target"], row["rounds"][0]["faults"]) for row in rows] == [("direct", {}), ("ours", {})]
    assert all(row["rounds"][0]["rate"] > 0 for row in rows)
    assert "first token alone, ms added" in written
    assert "ours" in "".join(ET.parse(picture).getroot().itertext())


def test_the_benchmark_names_its_scenarios_when_asked_for_another():
    code, written = run("tests.benchmarks", "--only", "no-such")
    assert (code, "unpaced-128" in written) == (2, True)

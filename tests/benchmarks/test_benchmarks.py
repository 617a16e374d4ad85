"""The benchmark runs, and notices what it must."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # as if started in the root of the repository

from tests.benchmarks.bodies import request_for
from tests.benchmarks.targets import ROUND_TRIP_MS

ROOT = Path(__file__).parents[2]
SECONDS = 50
LOAD = {
    "port": 0,
    "request": "",
    "connections": 2,
    "requests": 6,
    "tokens": 2,
    "end": "[DONE]",
    "repeats": False,
    "pace_seconds": 0.0,
    "seconds": 20,
    "grace": 1,
}


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


def outcome_of(folder, **load):
    """Return what the load client says."""
    file = folder / "load.json"
    file.write_text(json.dumps({**LOAD, **load}), encoding="utf-8")
    _, written = run("tests.benchmarks.load", str(file))
    return json.loads(written.splitlines()[-1])


def asked_for(tokens, pace_us=0):
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": f"[{tokens} tokens, {pace_us} us]"}]})
    return f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"


@pytest.mark.parametrize(
    ("asked", "expected", "end", "faults"),
    [
        (700, 700, "[DONE]", {}),
        (700, 701, "[DONE]", {"tokens missing": 6}),
        (700, 699, "[DONE]", {"too many tokens": 6}),
        (700, 700, '"done":true', {"no end mark": 6}),
    ],
)
def test_the_load_client_counts_what_is_wrong(tmp_path, backend_port, asked, expected, end, faults):
    load = {"port": backend_port, "request": asked_for(asked), "tokens": expected, "end": end}
    outcome = outcome_of(tmp_path, **load)
    assert (outcome["requests"], outcome["tokens"]) == (6, 6 * asked)
    assert outcome["faults"] == faults


@pytest.mark.parametrize(("grace", "faults"), [(0.1, {"not answered in time": 2}), (0.0, {})])
def test_the_load_client_cuts_answers_off_at_the_end(tmp_path, backend_port, grace, faults):
    load = {"port": backend_port, "request": asked_for(2, pace_us=50_000_000), "seconds": 0.2, "grace": grace}
    outcome = outcome_of(tmp_path, **load)
    assert (outcome["tokens"], outcome["faults"]) == (2, faults)


def test_the_load_client_counts_repeated_text_once(tmp_path, backend_port):
    load = {"port": backend_port, "request": asked_for(700), "tokens": 350, "repeats": True}
    outcome = outcome_of(tmp_path, **load)
    assert (outcome["tokens"], outcome["faults"]) == (6 * 350, {})


def test_the_load_client_notices_a_missing_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert outcome_of(tmp_path, port=port, connections=1, requests=3)["faults"] == {"ConnectionRefusedError": 3}


def test_the_benchmark_measures_and_reports(tmp_path):
    data = tmp_path / "data.json"
    chosen = ("--quick", "--only", "far-http", "--target", "direct", "--target", "ours", "--markdown")
    code, written = run("tests.benchmarks", *chosen, "--json", str(data))
    assert code == 0, written
    rows = json.loads(data.read_text(encoding="utf-8"))["rows"]
    assert [(row["target"], row["rounds"][0]["faults"]) for row in rows] == [("direct", {}), ("ours", {})]
    assert all(row["rounds"][0]["first_ms"] > ROUND_TRIP_MS for row in rows)
    assert "| faults in a scenario, at most | 0 | 0.00 | yes |" in written


@pytest.mark.parametrize("speech", ["lmstudio", "naive", "ollama"])
@pytest.mark.parametrize(("kind", "size"), [("agent", 130_000), ("agent-4mb", 4_000_000), ("vision", 10_000_000)])
def test_long_requests_have_the_size_that_is_promised(kind, size, speech):
    text = request_for(kind, speech, 20, 1000).text
    assert 0.9 * size < len(text) < 1.1 * size
    assert "[20 tokens, 1000 us]" in text


def test_an_unknown_scenario_lists_the_known_ones():
    code, written = run("tests.benchmarks", "--only", "no-such")
    assert (code, "burst-32" in written) == (2, True)

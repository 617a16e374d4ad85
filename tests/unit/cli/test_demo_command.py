"""``flask-shim demo``: the shim and a miniature LM Studio with a real engine."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner
from support.children import CAN_LIST_CHILDREN, children, is_running
from support.processes import ShimProcess, run

from flask_shim.cli import cli
from flask_shim.embedded import engine


@pytest.fixture
def demo():
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with ShimProcess(arguments=("demo", "--port", "0")) as shim:
        shim.until("Ctrl-C ends both")
        yield shim


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are printed for cmd.exe")
def test_demo_prints_commands_that_work(demo):
    tags, chat, script, _ = (shlex.split(line) for line in re.findall(r"^  (.*)$", demo.log, re.MULTILINE))
    assert subprocess.check_output(script, text=True).startswith("Hello!")
    assert "tiny-chat:latest" in [model["name"] for model in demo.session.get(tags[1]).json()["models"]]
    answer = demo.session.post(chat[1], data=chat[3], headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.text.splitlines()[-1].startswith('{"model":"tiny-chat"')


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are printed for cmd.exe")
def test_demo_prints_the_doctor_that_looks_at_it(demo):
    doctor = shlex.split(re.search(r"^  (.* doctor .*)$", demo.log, re.MULTILINE).group(1))
    result = subprocess.run(doctor, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("port", ["99999", "-1", "abc"])
def test_demo_with_a_port_that_is_none_says_so(port):
    code, output = run("demo", "--port", port)
    assert (code, "--port" in output, "Traceback" in output) == (2, True, False)


@pytest.mark.skipif(not CAN_LIST_CHILDREN, reason="children can't be listed here")
def test_demo_leaves_no_engine_behind(demo):
    tags = re.search(r"curl (\S+)/api/tags", demo.log).group(1)
    payload = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Hello"}], "stream": False}
    assert demo.session.post(f"{tags}/api/chat", json=payload).status_code == 200
    engines = children(demo.process.pid)
    assert engines
    assert demo.stop(signal.SIGINT) == 0
    assert demo.log.endswith("The demo has ended; nothing is left running.\n")
    assert not any(is_running(pid) for pid in engines)


def test_demo_on_a_taken_port_says_who_has_it():
    with ShimProcess() as shim:
        code, output = run("demo", "--port", str(shim.port))
        assert code == 2
        assert "another flask-shim is already running there" in output
        assert f"--port {shim.port + 1}" in output


def test_demo_without_the_engine_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    result = CliRunner().invoke(cli, ["demo", "--port", "0"])
    assert (result.exit_code, 'pip install ".[embedded]"' in result.stderr) == (1, True)


@pytest.mark.parametrize("generation", ["v0", "openai"])
def test_demo_shows_older_generations(generation):
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with ShimProcess(arguments=("demo", "--port", "0", "--generation", generation)) as shim:
        url = shim.until(r"curl (\S+)/api/tags").group(1)
        assert len(shim.session.get(f"{url}/api/tags").json()["models"]) == 4


def test_demo_of_a_folder_without_models_says_so(tmp_path):
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    assert run("demo", "--port", "0", "--models", str(tmp_path)) == (
        1,
        "There is no GGUF file of a chat model in that folder.\n",
    )


def test_demo_listens_where_the_settings_say():
    with ShimProcess() as shim:
        code, output = run("demo", SHIM_PORT=str(shim.port), SHIM_HOST="127.0.0.1")
    assert (code, f"Port {shim.port} on 127.0.0.1 is taken" in output) == (2, True)


def test_demo_for_other_machines_needs_a_word():
    code, output = run("demo", "--port", "0", SHIM_HOST="0.0.0.0")
    assert (code, "SHIM_ALLOW_OPEN=1" in output, "Traceback" in output) == (2, True, False)

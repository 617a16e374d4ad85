"""``flask-shim demo``: the shim and a miniature LM Studio with a real engine."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import requests
from click.testing import CliRunner
from support.child_processes import CAN_LIST_CHILDREN, children, is_running
from support.processes import ShimProcess, clean_environment

from flask_shim.cli import cli, demo_command
from flask_shim.embedded import engine
from flask_shim.embedded.shell_commands import install_command
from flask_shim.services import services_of


@pytest.fixture(scope="module")
def demo():
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with ShimProcess(arguments=("demo", "--port", "0")) as shim:
        shim.until("Ctrl-C ends both")
        yield shim


@pytest.fixture
def port(demo):
    """The port of the running demo."""
    return re.search(r"curl\S* http://[^/]+:(\d+)/api/tags", demo.log).group(1)


def invoke(*arguments, **env):
    """Run a command here; return its exit code and what it printed."""
    result = CliRunner().invoke(cli, arguments, env={"SHIM_ENV_FILE": "", **env})
    return result.exit_code, result.output


def printed_commands(log: str) -> list[list[str]]:
    """Return the commands that the demo suggests, as words of a shell."""
    return [shlex.split(line) for line in re.findall(r"(?m)^  ((?:curl|.* doctor) .*)$", log)]


@pytest.mark.skipif(sys.platform == "win32", reason="PowerShell commands are printed there")
def test_demo_prints_commands_that_work(demo):
    tags, generate, doctor = printed_commands(demo.log)
    assert "tiny-chat:latest" in [model["name"] for model in demo.session.get(tags[1]).json()["models"]]
    answer = demo.session.post(f"http://{generate[1]}", data=generate[3])
    assert answer.text.splitlines()[-1].startswith('{"model":"tiny-chat"')
    result = subprocess.run(doctor, capture_output=True, text=True, check=False, env=clean_environment())
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "All is well."), result.stdout


def test_lines_of_the_demo_fit_a_narrow_terminal(demo):
    printed = demo.log.partition("Ctrl-C ends both.")[0].replace(sys.executable, "python")
    assert [line for line in printed.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", ["models", "ps", "doctor"])
def test_commands_beside_a_demo_look_at_its_lm_studio(port, command):
    requests.post(f"http://127.0.0.1:{port}/api/generate", json={"model": "tiny-chat", "keep_alive": "1h"}, timeout=30)
    code, output = invoke(command, SHIM_PORT=port)
    assert (code, "tiny-chat" in output) == (0, True), output
    if command == "doctor":
        assert output.endswith("All is well.\n")


def test_demo_takes_the_inspector_and_the_context_from_the_environment(monkeypatch):
    miniature = nullcontext(SimpleNamespace(url="http://127.0.0.1:9"))
    monkeypatch.setattr(demo_command, "MiniLMStudio", lambda *_, **__: miniature)
    monkeypatch.setattr(demo_command, "_chat_model", lambda _: "tiny-chat")
    configs = []

    def note(app, config, _):
        configs.append(config)
        services_of(app).close()

    monkeypatch.setattr(demo_command, "run", note)
    for env in ({"SHIM_INSPECT": "7", "SHIM_AUTO_CONTEXT": "1"}, {}):
        assert CliRunner().invoke(cli, ["demo", "--port", "0"], env=env).exit_code == 0
    assert [(config.inspect, config.auto_context) for config in configs] == [(7, True), (0, False)]


@pytest.mark.parametrize("port", ["99999", "-1", "abc"])
def test_demo_with_an_invalid_port_is_an_error(port):
    result = CliRunner().invoke(cli, ["demo", "--port", port])
    assert (result.exit_code, "--port" in result.stderr) == (2, True)
    assert isinstance(result.exception, SystemExit)


@pytest.mark.skipif(not CAN_LIST_CHILDREN, reason="children can't be listed here")
def test_demo_leaves_no_engine_behind():
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with ShimProcess(arguments=("demo", "--port", "0")) as demo:
        tags = demo.until(r"curl\S* (\S+)/api/tags").group(1)
        payload = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Hello"}], "stream": False}
        assert demo.session.post(f"{tags}/api/chat", json=payload).status_code == 200
        engines = children(demo.process.pid)
        assert engines
        assert demo.stop(signal.SIGINT) == 0
        assert demo.log.endswith("The demo has ended; nothing is left running.\n")
        assert not any(is_running(pid) for pid in engines)


def test_demo_on_a_taken_port_names_its_owner(port):
    code, output = invoke("demo", "--port", port)
    assert code == 2
    assert "another flask-shim is already running there" in output
    assert re.search(r"another port: SHIM_PORT=(\d+) or --port \1\.", output)


def test_demo_without_the_engine_prints_the_install_command(monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    result = CliRunner().invoke(cli, ["demo", "--port", "0"])
    assert (result.exit_code, result.stderr) == (
        1,
        f"The engine of the demo is not installed. Install it: {install_command('xllamacpp')}\n",
    )


@pytest.mark.parametrize("generation", ["v0", "openai"])
def test_demo_shows_older_generations(generation):
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with ShimProcess(arguments=("demo", "--port", "0", "--generation", generation)) as shim:
        url = shim.until(r"curl\S* (\S+)/api/tags").group(1)
        assert len(shim.session.get(f"{url}/api/tags").json()["models"]) == 4


def test_demo_of_a_folder_without_models_is_an_error(tmp_path):
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    assert invoke("demo", "--port", "0", "--models", str(tmp_path)) == (
        1,
        "The folder of --models has no GGUF file of a chat model. Choose another folder.\n",
    )


def test_demo_listens_where_the_settings_say(port):
    code, output = invoke("demo", SHIM_PORT=port, SHIM_HOST="127.0.0.1")
    assert (code, f"Port {port} on 127.0.0.1 is taken" in output) == (2, True)


def test_demo_for_other_machines_needs_a_word():
    code, output = invoke("demo", "--port", "0", SHIM_HOST="0.0.0.0")
    assert (code, "SHIM_ALLOW_OPEN=1" in output, "Traceback" in output) == (2, True, False)

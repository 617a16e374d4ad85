"""``flask-shim serve``: what it says when it starts, and when it can't."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.answers import by_path, lm_studio, model, replies, silent
from support.ports import unused_port
from support.processes import START_SECONDS, ShimProcess, run, start

from flask_shim import __version__, create_app
from flask_shim.cli import cli
from flask_shim.cli.banner import describe, print_start
from flask_shim.config import Config, ConfigError
from flask_shim.lmstudio import ClientOptions, LMStudio

UNREACHABLE = "http://127.0.0.1:9"


def test_start_prints_version_addresses_and_backend(socket_server):
    backend = socket_server(lm_studio(silent, model("one"), model("two")))
    with ShimProcess(backend.url, PORT="1", SHIM_PROT="2") as shim:
        shim.until(rf"(?m)^flask-shim {re.escape(__version__)}\n")
        shim.until(rf"  listening  {shim.url}\n")
        shim.until(rf"  backend    {backend.url}, LM Studio 0\.4 or later, 2 models\n")
        shim.until("SHIM_PROT is not a setting of the shim and has no effect; did you mean SHIM_PORT\\?\n")


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"/api/v0/models": {"data": [{"id": "old", "type": "llm", "state": "loaded"}]}}, r"LM Studio 0\.3, 1 model$"),
        ({"/v1/models": {"data": []}}, "OpenAI-compatible server: its model list says names only, 0 models$"),
        ({}, r"it is not LM Studio. The shim serves all the same\."),
    ],
)
def test_start_prints_the_backend(socket_server, lists, said):
    server = socket_server(by_path({path: replies(body) for path, body in lists.items()}))
    with closing(LMStudio(ClientOptions(base_url=server.url))) as backend:
        line = describe(backend)
    assert re.search(said, line)


@pytest.mark.parametrize("host", ["*", "0.0.0.0", "::"])
def test_start_warns_about_open_access(capsys, host):
    print_start(Config(hosts=(host,), allow_open=True), ["http://127.0.0.1:1"])
    listening, is_open = capsys.readouterr().out.splitlines()[1:]
    assert listening == "  listening  http://127.0.0.1:1, and on every other address"
    assert "no key is required" in is_open


@pytest.mark.parametrize("settings", [{"hosts": ("*",), "api_keys": ("k",), "allow_open": True}, {"allow_open": True}])
def test_start_does_not_say_so_of_a_key_or_of_loopback(capsys, settings):
    print_start(Config(**settings), ["http://127.0.0.1:1"])
    assert "no key" not in capsys.readouterr().out


@pytest.mark.parametrize("app", [("--call", "flask_shim:create_app"), ("main:app",)], ids=["create_app", "main"])
def test_bad_settings_print_no_traceback_under_waitress_serve(app):
    root = str(Path(__file__).parents[3])
    environ = {"SHIM_PORT": "x", "SHIM_THREADS": "y", "PYTHONPATH": root}
    with start(("--listen=127.0.0.1:0", *app), environ, module="waitress") as process:
        output, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode != 0
    assert output == "SHIM_PORT='x': Not a whole number.\nSHIM_THREADS='y': Not a whole number.\n"


def test_bad_settings_can_be_caught_from_create_app(monkeypatch):
    monkeypatch.setenv("SHIM_PORT", "x")
    with pytest.raises(ConfigError, match="Not a whole number") as caught:
        create_app()
    assert caught.value.problems == ("SHIM_PORT='x': Not a whole number.",)


def test_shim_starts_without_lm_studio():
    with ShimProcess(UNREACHABLE) as shim:
        shim.until(f"LM Studio is not reachable at {UNREACHABLE} .* The shim serves all the same")
        assert shim.get("/api/version").status_code == 200
        assert shim.get("/api/tags").status_code == 503
    assert "Traceback" not in shim.log


def test_bad_settings_are_all_reported_without_keys():
    code, output = run("serve", "--port", "x", SHIM_THREADS="0", SHIM_API_KEY="geh eim")
    assert code == 2
    assert [line.partition(":")[0] for line in output.splitlines()] == [
        "SHIM_PORT='x'",
        "SHIM_THREADS='0'",
        "SHIM_API_KEY",
    ]
    assert "geh" not in output


def test_taken_port_is_reported_with_its_owner(socket_server):
    ollama = by_path({"/": replies("Ollama is running"), "/api/version": replies({"version": "0.12.6"})})
    port = str(socket_server(ollama).port)
    code, output = run("--port", port, "--host", "127.0.0.1")
    assert code == 2
    taken, advice = output.splitlines()
    assert taken == f"Port {port} on 127.0.0.1 is taken: Ollama 0.12.6 is already running there."
    stop, other = advice.split(", or give the shim another port: ")
    assert stop == "Stop it (quit it from its icon; on Linux: systemctl stop ollama)"
    assert re.fullmatch(r"SHIM_PORT=(\d+) or --port \1\.", other)


def test_second_shim_on_a_port_names_the_first_in_its_log(tmp_path):
    file = tmp_path / "second.log"
    with ShimProcess() as shim:
        code, output = run("--port", str(shim.port), "--host", "127.0.0.1", SHIM_LOG_FILE=str(file))
        assert (code, "another flask-shim is already running" in output) == (2, True)
    assert " CRITICAL " in file.read_text(encoding="utf-8")


def test_unwritable_log_file_is_reported(tmp_path):
    code, output = run("serve", SHIM_LOG_FILE=str(tmp_path))
    assert (code, output.startswith(f"SHIM_LOG_FILE={tmp_path}: ")) == (2, True)


def test_reload_is_rejected_on_a_wider_bind():
    result = CliRunner().invoke(
        cli, ["serve", "--reload", "--host", "*", "--env-file", ""], env={"SHIM_ALLOW_OPEN": "1"}
    )
    assert (result.exit_code, "this machine only" in result.stderr) == (2, True)


def test_reload_serves():
    with ShimProcess(arguments=("serve", "--reload", "--port", str(unused_port()))) as shim:
        assert shim.get("/health").json() == {"status": "ok"}

"""``flask-shim doctor`` against servers that are well, and servers that are not."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack

import pytest
from click.testing import CliRunner
from support.answers import by_path, lm_studio, model, reads, replies, streams
from support.apps import served
from support.peer import Peer
from support.ports import unused_port

from flask_shim import create_app
from flask_shim.cli import cli
from flask_shim.config import Config
from flask_shim.doctor import runner
from flask_shim.doctor.clients import CLIENTS
from flask_shim.services import services_of
from flask_shim.serving.port_probe import SHIM

CAN = {"vision": False, "trained_for_tool_use": True}
LARGE = model(capabilities=CAN, loaded_instances=[{"id": "tiny", "config": {"context_length": 131_072}}])
COLD = model("cold", loaded_instances=[])
LISTED = replies({"data": [{"id": "tiny", "object": "model"}, {"id": "cold", "object": "model"}]})
NO_TOKEN = replies(
    {"error": {"code": "invalid_api_key", "message": "a token is required"}}, "401 Unauthorized", connection="close"
)

TOKENS = 20
PACED = streams(*[step for _ in range(TOKENS) for step in ("one ", 0.02)])


def studio(chat=PACED, *models):
    """Be an LM Studio with these models."""
    return lm_studio(chat, *(models or (LARGE, COLD)), v1_models=LISTED)


@pytest.fixture
def port(monkeypatch):
    """A port that the settings name, without a listener unless a test starts one."""
    found = {"127.0.0.1": None, "::1": None}
    monkeypatch.setattr(runner, "identify_server", lambda host, _: found[host])
    return found


@pytest.fixture
def examine(port, tmp_path):
    """Return a function that runs the doctor here; it gives the exit code, and code -> level of what was found."""

    def run(backend, *arguments, **env):
        settings = {"SHIM_DATA_DIR": str(tmp_path / "data"), "SHIM_PORT": str(unused_port()), **env}
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            settings.setdefault(name, "")
        arguments = ("doctor", "--json", "--lmstudio-url", backend, "--env-file", "", *arguments)
        result = CliRunner().invoke(cli, arguments, env=settings, prog_name="flask-shim")
        assert result.exit_code in (0, 1), result.output
        return Findings(result.exit_code, json.loads(result.stdout)["findings"])

    return run


class Findings:
    """What the doctor found."""

    def __init__(self, exit_code, found):
        self.exit_code = exit_code
        self.found = found

    def __getitem__(self, code):
        return next(one for one in self.found if one["code"] == code)

    def levels(self, *codes):
        return {one["code"]: one["level"] for one in self.found if one["code"] in codes or not codes}

    @property
    def failed(self):
        return [one["code"] for one in self.found if one["level"] == "fail"]


def test_all_is_well_without_a_shim_running(socket_server, examine):
    found = examine(socket_server(studio()).url)
    assert found.exit_code == 0
    assert found.failed == []
    assert found.levels("port", "jit", "ready", "context", "pace") == {
        "port": "note",
        "jit": "ok",
        "ready": "ok",
        "context": "ok",
        "pace": "ok",
    }


def test_running_shim_is_found_by_the_port_of_the_settings(socket_server, examine, port, served_shim):
    backend = socket_server(studio()).url
    port["127.0.0.1"] = SHIM
    number = str(served_shim(backend))
    found = examine(backend, "--no-chat", SHIM_PORT=number)
    assert f":{number} answers as Ollama" in found["shim"]["text"]
    assert found["port"]["level"] == "ok"


def test_key_of_the_settings_is_used(socket_server, examine, served_shim):
    backend = socket_server(studio()).url
    url = f"http://127.0.0.1:{served_shim(backend, api_keys=('a-long-enough-key',))}"
    assert examine(backend, "--no-chat", "--url", url)["key"]["level"] == "fail"
    found = examine(backend, "--no-chat", "--url", url, SHIM_API_KEY="a-long-enough-key")
    assert found.failed == []
    assert found["shim"]["text"].endswith("accepts the key")


@pytest.mark.parametrize(("keys", "token"), [({}, "ollama"), ({"SHIM_API_KEY": "a-long-enough-key"}, "YOUR-KEY")])
def test_claude_code_gets_its_setup_with_the_key(socket_server, examine, keys, token):
    found = examine(socket_server(studio()).url, "--no-chat", "--client", "claude", **keys)
    form = '$env:ANTHROPIC_AUTH_TOKEN = "{}"; ' if sys.platform == "win32" else "ANTHROPIC_AUTH_TOKEN={} "
    assert form.format(token) in found["setup"]["text"]


def test_variables_are_set_as_powershell_does_it():
    url = "http://localhost:1"
    shown = {
        name: CLIENTS[name].setup_for(url, "k", powershell=True) for name in ("claude", "ollama", "litellm", "roo")
    }
    assert shown == {
        "claude": f'$env:ANTHROPIC_BASE_URL = "{url}"; $env:ANTHROPIC_AUTH_TOKEN = "k"; claude --model NAME',
        "ollama": f'$env:OLLAMA_HOST = "{url}"',
        "litellm": f"model='ollama_chat/NAME', api_base='{url}'",
        "roo": f"API Provider: Ollama, Base URL: {url}",
    }


def test_an_unwritable_folder_for_names_is_reported(socket_server, examine, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = examine(socket_server(studio()).url, "--no-chat", SHIM_DATA_DIR=str(tmp_path / "file"))
    assert found.levels("data") == {"data": "warn"}
    assert "SHIM_DATA_DIR" in found["data"]["remedy"]


def test_ollama_on_the_port_is_a_failure_and_the_rest_is_looked_at(socket_server, examine, port):
    port["127.0.0.1"] = "Ollama 0.12.6"
    found = examine(socket_server(studio()).url)
    assert (found.exit_code, found.failed) == (1, ["port"])
    assert found["ready"]["level"] == "ok"


def test_unreachable_backend_is_reported_once(examine):
    found = examine(f"http://127.0.0.1:{unused_port()}", "--client", "vscode")
    assert (found.exit_code, found.failed) == (1, ["backend"])
    assert found["left-out"]["level"] == "note"


def test_backend_that_requires_a_token_is_reported_once(socket_server, examine):
    found = examine(socket_server(reads(NO_TOKEN)).url)
    assert (found.exit_code, found.failed) == (1, ["token"])


def test_disabled_jit_loading_is_reported(socket_server, examine):
    only_loaded = replies({"data": [{"id": "tiny", "object": "model"}]})
    found = examine(socket_server(lm_studio(PACED, LARGE, COLD, v1_models=only_loaded)).url, "--no-chat")
    assert found["jit"]["level"] == "note"


def test_nothing_is_loaded_unless_it_is_wanted(socket_server, examine):
    backend = socket_server(studio(PACED, COLD))
    found = examine(backend.url, "--client", "vscode", "--client", "claude")
    assert found["no-chat"]["level"] == "note"
    assert {request.method for request in backend.asked} == {"GET"}


def test_chat_loads_a_model_when_it_is_wanted(socket_server, examine):
    backend = socket_server(studio(PACED, COLD))
    assert examine(backend.url, "--chat")["pace"]["level"] == "ok"
    assert [request.json["model"] for request in backend.asked if request.method == "POST"] == ["cold"]


def test_no_chat_sends_no_prompt(socket_server, examine):
    backend = socket_server(studio())
    assert examine(backend.url, "--no-chat")["no-chat"]["level"] == "note"
    assert {request.method for request in backend.asked} == {"GET"}


def test_chat_that_breaks_off_is_a_failure(socket_server, examine):
    breaks = streams("one ", ends=False)
    found = examine(socket_server(studio(breaks)).url)
    assert (found.exit_code, found.failed) == (1, ["chat"])


@pytest.mark.parametrize(
    ("client", "version", "expected"),
    [
        ("vscode", "0.6.3", ["version"]),
        ("vscode", "0.6.4", []),
        ("codex", "0.13.3", ["version"]),
        ("vscode-ollama", "0.17.5", []),  # recommended only
    ],
)
def test_gates_of_versions_are_seen(socket_server, examine, client, version, expected):
    found = examine(socket_server(studio()).url, "--no-chat", "--client", client, SHIM_OLLAMA_VERSION=version)
    assert found.failed == expected


def test_client_that_cannot_send_a_key_is_a_failure(socket_server, examine):
    found = examine(
        socket_server(studio()).url,
        "--no-chat",
        "--client",
        "vscode",
        "--client",
        "zed",
        SHIM_API_KEY="a-long-enough-key",
    )
    assert found.failed == ["client-key"]
    assert [one["text"] for one in found.found if one["code"] == "client-key"][1] == "set the key here: OLLAMA_API_KEY"


def test_rejected_origin_names_the_setting(socket_server, examine):
    backend = socket_server(studio()).url
    assert "SHIM_ALLOWED_ORIGINS" in examine(backend, "--no-chat", "--client", "pageassist")["refused"]["remedy"]
    found = examine(backend, "--no-chat", "--client", "pageassist", SHIM_ALLOWED_ORIGINS="chrome-extension://*")
    assert found.failed == []


def test_small_context_is_reported(socket_server, examine):
    found = examine(socket_server(studio(PACED, model())).url, "--no-chat", "--client", "claude")
    assert (found["context"]["level"], found.exit_code) == ("warn", 0)


def test_missing_tools_are_reported_for_a_client_that_needs_them(socket_server, examine):
    plain = model(capabilities={"vision": False, "trained_for_tool_use": False})
    assert examine(socket_server(studio(PACED, plain)).url, "--no-chat", "--client", "codex").failed == ["tools"]


VERSION, READY = replies({"version": "0.40.12"}), replies({"status": "ok", "models": 1})
TAGS = replies({"models": [{"name": "a:latest", "capabilities": ["completion"]}]})
PS = replies({"models": [{"name": "a:latest", "context_length": 65_536}]})
COUNTS = {"total_duration": 1, "prompt_eval_count": 1, "eval_count": 40, "eval_duration": 2_000_000_000}
LUMP = b"".join(
    json.dumps({"message": {"role": "assistant", "content": "one "}, "done": False} | more).encode() + b"\n"
    for more in ({}, {}, {"done": True, **COUNTS})
)
FRONT = {"/api/version": VERSION, "/ready": READY, "/api/tags": TAGS, "/api/ps": PS}


@pytest.mark.parametrize(
    ("answers", "code", "level"),
    [
        ({"/api/chat": replies(LUMP)}, "pace", "warn"),
        ({"/metrics": replies(b"shim_generations_limit 2.0\n")}, "threads", "warn"),
        ({"/ready": replies({"status": "draining"}, "503 Busy")}, "ready", "warn"),
        ({"/ready": replies({"status": "unavailable", "error": "away. Start it"}, "503 Busy")}, "ready", "fail"),
        ({"/api/version": replies({"version": "1"}, date="Sun, 06 Nov 1994 08:49:37 GMT")}, "clock", "warn"),
        ({"/api/version": replies("<html>", "502 Bad Gateway")}, "status", "fail"),
        ({"/api/version": replies("", "301 Moved", location="https://a.example/")}, "redirect", "fail"),
        ({"/api/version": replies({"error": "host not allowed: a"}, "403 Forbidden")}, "refused", "fail"),
        ({"/api/version": replies({"error": "key"}, "401 Unauthorized")}, "key", "fail"),
        ({"/api/version": replies("<html>")}, "shim", "fail"),
        ({"/api/version": Peer.reset}, "unreachable", "fail"),
        ({"/api/tags": replies({"error": "no slot"}, "503 Busy")}, "unavailable", "fail"),
    ],
)
def test_proxies_in_front_are_recognized(socket_server, examine, answers, code, level):
    backend, front = socket_server(studio()), socket_server(by_path(FRONT | answers))
    assert examine(backend.url, "--url", front.url)[code]["level"] == level


@pytest.fixture
def served_shim(tmp_path):
    """Return a function that serves a shim with few threads before a backend, and gives its port."""
    with ExitStack() as owned:

        def before(url, **settings):
            app = create_app(Config(backend_url=url, data_dir=tmp_path / "served", **settings))
            owned.callback(services_of(app).close)
            return owned.enter_context(served(app))

        yield before


def test_plain_waitress_is_recognized_by_its_slots(socket_server, examine, served_shim):
    backend = socket_server(studio()).url
    found = examine(backend, "--no-chat", "--url", f"http://127.0.0.1:{served_shim(backend)}")
    assert found["threads"]["level"] == "warn"
    assert "--threads=72" in found["threads"]["remedy"]


def test_other_machines_shim_is_looked_at_alone(monkeypatch, examine):
    monkeypatch.setattr(runner, "is_this_machine", lambda _: False)
    found = examine("http://127.0.0.1:9", "--url", f"http://127.0.0.1:{unused_port()}")
    assert {one["section"] for one in found.found} == {"The shim", "Models and clients"}
    assert found.failed == ["unreachable"]


@pytest.mark.parametrize("address", ["ftp://a", "http://", "http://a b", "http://[::1", "http://a:99999"])
def test_address_that_is_none_is_refused(address):
    result = CliRunner().invoke(cli, ("doctor", "--url", address), prog_name="flask-shim")
    assert (result.exit_code, "not an http or https address" in result.stderr) == (2, True)


def test_wrong_settings_end_with_code_two():
    result = CliRunner().invoke(cli, ("doctor", "--env-file", ""), env={"SHIM_PORT": "x"}, prog_name="flask-shim")
    assert (result.exit_code, "SHIM_PORT" in result.stderr) == (2, True)


def test_text_is_ascii_with_a_remedy_below_each_failure(port, tmp_path):
    env = {"SHIM_DATA_DIR": str(tmp_path), "SHIM_PORT": str(unused_port()), "COLUMNS": "60"}
    arguments = ("doctor", "--env-file", "", "--lmstudio-url", f"http://127.0.0.1:{unused_port()}")
    result = CliRunner().invoke(cli, arguments, env=env, prog_name="flask-shim")
    lines = result.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  fail  "))
    assert any(line.startswith("        > Start its server") for line in lines[at : at + 3])
    assert result.stdout.isascii()
    assert lines[-1] == "1 failure."

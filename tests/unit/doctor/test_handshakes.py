"""Every client's handshake as it is played: what is sent, and what a real shim makes of it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.answers import by_path, replies

from flask_shim.cli import cli
from flask_shim.doctor.clients import CLIENTS
from flask_shim.doctor.findings import has_failed
from flask_shim.doctor.handshakes import Answer, judge_step, play_handshake, send_step
from flask_shim.doctor.probe import Prober

NAMES = ("a:latest", "b-embed:latest")
DETAILS = {"format": "gguf", "family": "llama", "families": None, "parameter_size": "1B", "quantization_level": "Q4"}
ENTRY = {"modified_at": "2026-11-20T13:55:26Z", "size": 1, "details": DETAILS}
ROWS = [{"name": name, "model": name, "digest": name * 2, **ENTRY} for name in NAMES]
SHOWN = {"capabilities": [], "model_info": {"general.architecture": "llama", "llama.context_length": 1}}
GOOD = {
    "/": {},
    "/api/version": {"version": "0.40.12"},
    "/api/tags": {"models": ROWS},
    "/api/ps": {"models": []},
    "/api/show": SHOWN,
    "/api/experimental/model-recommendations": {"recommendations": []},
    "/v1/models": {"data": []},
}
PAGES = {"access_control_allow_origin": "*"}
FRONT = by_path({path: replies(body) for path, body in GOOD.items()} | {"/api/chat": replies("", **PAGES)})

SHOWS = ["POST /api/show", "POST /api/show"]

SEQUENCES = {
    "vscode": ["GET /api/version", "GET /api/tags", *SHOWS],
    "vscode-ollama": [
        "GET /api/version",
        "GET /api/tags",
        "GET /api/experimental/model-recommendations",
        *SHOWS,
        "GET /api/ps",
    ],
    "openwebui": ["GET /api/version", "GET /api/tags", "GET /api/ps"],
    "ollama": ["HEAD /", "GET /api/version", "GET /api/tags", "GET /api/ps", *SHOWS],
    "claude": ["HEAD /"],
    "codex": ["GET /v1/models", "GET /api/version", "GET /api/tags"],
    "continue": ["GET /api/tags", *SHOWS],
    "cline": ["GET /api/tags"],
    "roo": ["GET /api/tags", *SHOWS],
    "zed": ["GET /api/tags", "POST /api/show"],
    "jetbrains": ["GET /", "GET /api/tags", *SHOWS],
    "homeassistant": ["GET /api/tags", "GET /api/ps"],
    "obsidian": ["OPTIONS /api/chat", "GET /v1/models"],
    "pageassist": ["OPTIONS /api/chat", "GET /", "GET /api/tags"],
    "litellm": SHOWS,
    "llamaindex": [*SHOWS, "GET /api/tags"],
    "python": ["GET /api/tags", "GET /api/ps", *SHOWS],
}


@pytest.mark.parametrize("name", CLIENTS)
def test_client_sends_what_the_real_one_sends(socket_server, name):
    front = socket_server(FRONT)
    with Prober(front.url) as prober:
        findings = list(play_handshake(CLIENTS[name], prober, NAMES, wants_key=False))
    assert not has_failed(findings), findings
    assert [f"{asked.method} {asked.path}" for asked in front.asked] == SEQUENCES[name]


@pytest.mark.parametrize(
    ("name", "path", "body", "code"),
    [
        ("vscode", "/api/version", {"version": "0.6.2"}, "version"),
        ("vscode", "/api/tags", {"models": None}, "list"),
        ("vscode", "/api/show", SHOWN | {"capabilities": None}, "show"),
        ("openwebui", "/api/version", {"version": "0.18.0+x"}, "version"),
        ("openwebui", "/api/tags", {"models": [ROWS[0] | {"name": "a", "model": "a"}]}, "tag"),
        ("ollama", "/api/tags", {"models": [ROWS[0] | {"digest": "short"}]}, "entries"),
        ("roo", "/api/tags", {"models": [ROWS[0] | {"details": {}}]}, "entries"),
        ("codex", "/v1/models", {"models": []}, "list"),
        ("python", "/api/show", {"capabilities": []}, "show"),
    ],
)
def test_client_stops_where_the_real_one_stops(socket_server, name, path, body, code):
    front = socket_server(by_path({one: replies(good) for one, good in (GOOD | {path: body}).items()}))
    with Prober(front.url) as prober:
        findings = list(play_handshake(CLIENTS[name], prober, NAMES, wants_key=False))
    assert [finding.code for finding in findings if finding.level.value == "fail"] == [code]
    assert findings[-1].code == "stopped"


def test_client_continues_after_a_failed_optional_request(socket_server):
    front = socket_server(
        by_path({path: replies(body) for path, body in GOOD.items() if "recommendations" not in path})
    )
    with Prober(front.url) as prober:
        findings = list(play_handshake(CLIENTS["vscode-ollama"], prober, NAMES, wants_key=False))
    assert [finding.code for finding in findings if finding.level.value == "warn"] == ["status"]
    assert front.asked[-1].path == "/api/ps"


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("vscode", "authorization", "Bearer"),
        ("claude", "authorization", "Bearer ollama"),
        ("litellm", "content-type", None),
        ("openwebui", "content-type", "application/json"),
        ("obsidian", "origin", "app://obsidian.md"),
    ],
)
def test_chat_has_the_headers_of_the_client(socket_server, name, header, value):
    front = socket_server(FRONT)
    with Prober(front.url) as prober:
        send_step(CLIENTS[name].chat, CLIENTS[name].headers, prober, NAMES[:1], wants_key=False)
    assert front.asked[0].headers.get(header) == value


def test_key_replaces_the_clients_own(socket_server):
    front = socket_server(FRONT)
    with Prober(front.url, key="a-key") as prober:
        list(play_handshake(CLIENTS["claude"], prober, NAMES, wants_key=True))
    assert front.asked[0].headers["authorization"] == "Bearer a-key"


def test_models_with_the_same_fault_share_one_finding(response):
    answers = [Answer(name, response({"capabilities": None})) for name in ("a", "b", "c")]
    finding, *_ = judge_step(CLIENTS["vscode"].steps[-1], answers)
    assert finding.text == "POST /api/show: no list of capabilities (a and 2 more)"


def test_every_client_passes_with_a_real_shim(tmp_path):
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    from support.demo import Demo

    wanted = [argument for name in CLIENTS for argument in ("--client", name)]
    with Demo(tmp_path, allowed_origins=("chrome-extension://*",)) as demo:
        arguments = ("doctor", "--json", "--chat", "--env-file", "", "--lmstudio-url", demo.miniature.url)
        result = CliRunner().invoke(cli, (*arguments, "--url", demo.url, *wanted), prog_name="flask-shim")
    found = json.loads(result.stdout)["findings"]
    assert [one for one in found if one["level"] == "fail"] == []
    chats = [one["section"] for one in found if one["text"].endswith("a chat answers as it should")]
    assert chats == ["Stream", *(client.title for client in CLIENTS.values())]

"""A recorded request, explained without sending it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.answers import by_path, replies
from support.fake_lmstudio import FakeLMStudio, v1_model
from support.ports import unused_port

from flask_shim.cli import cli
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.translate.ollama.alias import Alias

CHAT = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Hello"}],
    "mirostat": 1,
    "options": {"num_ctx": 8192},
}
LISTS = {"GET"}


@pytest.fixture
def explain(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FakeLMStudio(rows=[v1_model("tiny"), v1_model("warm", context_length=4096)]) as backend:

        def run(recorded, profile=""):
            (tmp_path / "flask-shim.toml").write_text(profile, encoding="utf-8")
            file = tmp_path / "request.json"
            file.write_text(json.dumps(recorded), encoding="utf-8")
            result = CliRunner().invoke(cli, ["explain", str(file), "--lmstudio-url", backend.url])
            assert {asked.method for asked in backend.asked} <= LISTS
            return result

        yield run


def test_the_payload_and_each_change_are_shown(explain):
    out = explain({"path": "/api/chat", "body": CHAT}).output
    assert "LM Studio gets POST /v1/chat/completions:" in out
    assert '"content": "Hello"' in out
    assert "mirostat: " in out


def test_the_load_for_a_context_is_shown(explain):
    out = explain({"path": "/api/chat", "body": CHAT}).output
    assert '"context_length": 8192' in out


def test_a_rule_of_the_file_is_the_reason(explain):
    rule = '[[rule]]\nclient = "VS Code"\nset = { num_predict = 5 }\n'
    recorded = {"path": "/api/chat", "body": CHAT, "headers": {"User-Agent": "GitHubCopilotChat/0.42.0"}}
    out = explain(recorded, rule).output
    assert '"max_tokens": 5' in out
    assert "line 1" in out


def test_a_download_of_the_inspector_is_read(explain):
    exchange = {"format": 1, "client": {"request": {"method": "POST", "path": "/api/chat", "body": CHAT}}}
    assert "LM Studio gets" in explain(exchange).output


@pytest.mark.parametrize(
    ("path", "body", "lines"),
    [
        ("/models/unload", {"unload_all": True}, ["Unloads warm."]),
        ("/api/generate", {"model": "warm", "keep_alive": 0}, ["Unloads warm."]),
        (
            "/models/load",
            {"model_key": "tiny", "exclusive": True},
            ["Unloads warm.", 'Loads the model first: {"model": "tiny"}'],
        ),
    ],
)
def test_loads_and_unloads_are_named(explain, path, body, lines):
    assert explain({"path": path, "body": body}).output.splitlines() == lines


def test_a_load_without_a_prompt_shows_the_answer(explain):
    load, nothing, answer = explain({"path": "/api/generate", "body": {"model": "tiny"}}).output.splitlines()
    assert load == 'Loads the model first: {"model": "tiny"}'
    assert nothing == "LM Studio gets nothing else. The client gets status 200:"
    assert json.loads(answer)["done_reason"] == "load"


def test_a_rejected_request_shows_its_error(explain):
    out = explain({"path": "/api/chat", "body": {"model": "unknown", "messages": []}}).output
    assert "LM Studio gets nothing. The client gets status 404:" in out


def test_embeddings_are_not_sent_either(explain):
    assert "LM Studio gets" in explain({"path": "/v1/embeddings", "body": {"model": "tiny", "input": "a"}}).output


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/copy", {"source": "tiny", "destination": "second"}),
        ("POST", "/api/create", {"model": "second", "from": "tiny"}),
        ("DELETE", "/api/delete", {"model": "first"}),
    ],
)
def test_names_are_neither_made_nor_deleted(explain, tmp_path, monkeypatch, method, path, body):
    monkeypatch.setenv("SHIM_DATA_DIR", str(tmp_path))
    store = AliasStore(tmp_path / FILE_NAME)
    store.put(Alias(name="first:latest", base="tiny", created_ns=1))
    result = explain({"method": method, "path": path, "body": body})
    assert "The client gets status 200:" in result.output
    assert [alias.name for alias in AliasStore(tmp_path / FILE_NAME).aliases().values()] == ["first:latest"]


def test_an_alias_is_what_it_is_for_the_shim(explain, tmp_path, monkeypatch):
    monkeypatch.setenv("SHIM_DATA_DIR", str(tmp_path))
    AliasStore(tmp_path / FILE_NAME).put(Alias(name="mine:latest", base="tiny", created_ns=1, system="Be brief."))
    assert "Be brief." in explain({"path": "/api/chat", "body": CHAT | {"model": "mine"}}).output


def test_the_request_for_a_download_is_shown(explain):
    out = explain({"path": "/api/pull", "body": {"model": "maker/new"}}).output
    assert 'LM Studio gets POST /api/v1/models/download: {"model":"maker/new"}' in out


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/tags"), ("GET", "/health"), ("POST", "/shim/reload")])
def test_what_the_shim_answers_itself_has_nothing_to_explain(explain, method, path):
    result = explain({"method": method, "path": path, "body": None})
    assert (result.exit_code, f"the shim itself answers {method} {path}" in result.output) == (1, True)


def test_a_line_end_in_a_header_is_an_error(explain):
    result = explain({"path": "/api/chat", "body": CHAT, "headers": {"X-Title": "a\nb"}})
    assert (result.exit_code, "is not a recorded request" in result.output) == (1, True)


@pytest.mark.parametrize("odd", [{"method": 5}, {"headers": [["Accept", "*/*"]]}])
def test_a_method_or_headers_of_another_type_are_an_error(explain, odd):
    result = explain({"path": "/api/chat", "body": CHAT} | odd)
    assert (result.exit_code, "method has to be a text, and headers an object" in result.output) == (1, True)


@pytest.mark.parametrize("recorded", [[], {}, {"path": "/api/chat"}, {"client": {"request": None}}])
def test_a_file_without_a_request_is_an_error(explain, recorded):
    result = explain(recorded)
    assert result.exit_code == 1
    assert "it needs an object with path and body" in result.output


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Return a function that explains something before two LM Studios, ``desktop`` and ``laptop``, and ``nas``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHIM_PORT", str(unused_port()))
    with (
        FakeLMStudio(rows=[v1_model("tiny"), v1_model("only-here")]) as desktop,
        FakeLMStudio(rows=[v1_model("tiny", context_length=4096)]) as laptop,
    ):
        urls = {"desktop": desktop.url, "laptop": laptop.url, "nas": f"http://127.0.0.1:{unused_port()}"}
        more = {"desktop": "priority = 10", "laptop": "", "nas": 'wake = "AA:BB:CC:DD:EE:FF"'}
        tables = (f'[[backend]]\nname = "{name}"\nurl = "{url}"\n{more[name]}\n' for name, url in urls.items())
        (tmp_path / "flask-shim.toml").write_text("".join(tables), encoding="utf-8")

        def run(subject):
            result = CliRunner().invoke(cli, ["explain", subject])
            assert {asked.method for asked in (*desktop.asked, *laptop.asked)} <= LISTS
            return result.output

        yield run


def test_the_machine_that_has_a_model_loaded_is_explained(machines):
    assert machines("tiny").splitlines() == [
        "No shim runs here, so this is what a shim without other requests does.",
        "laptop answers for tiny:latest: the model is loaded and has a free place.",
        "  desktop  the model is not loaded there",
        "  nas      does not answer (connection refused); it is woken only for a model that no other one has",
    ]


def test_requests_of_the_running_shim_count_where_they_run(machines, socket_server, monkeypatch):
    # One waits for a slot, and one is of a shim that was started with other settings.
    rows = [{"model": "tiny", "backend": name} for name in (*["laptop"] * 4, None, "http://127.0.0.1:1234")]
    shim = {"/": replies("Ollama is running"), "/api/version": replies({"version": "0.40.12"})}
    shim |= {"/health": replies({"status": "ok"}), "/shim/requests": replies({"running": rows, "ended": []})}
    monkeypatch.setenv("SHIM_PORT", str(socket_server(by_path(shim)).port))
    out = machines("tiny")
    assert "desktop answers for tiny:latest" in out
    assert "  laptop   more requests run there" in out


def test_machines_without_the_model_are_explained(machines):
    out = machines("only-here")
    assert "desktop answers for only-here:latest: it is the only choice." in out
    assert "  laptop   does not have the model" in out


def test_a_machine_that_the_name_asks_for_answers(machines):
    out = machines("desktop/tiny")
    assert "desktop answers for tiny:latest" in out
    assert "  laptop   the name of the model asks for desktop" in out


def test_a_model_that_only_a_sleeping_machine_may_have(machines):
    assert machines("big") == "No machine that answers has big. A request wakes nas to find out.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])  # the last is PowerShell 5's
def test_a_request_is_explained_with_its_machine(machines, tmp_path, encoding):
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"path": "/api/chat", "body": CHAT}), encoding=encoding)
    out = machines(str(file))
    assert out.startswith("laptop answers for tiny:latest: the model is loaded and has a free place.\n")
    assert 'Loads the model first on laptop: {"model": "tiny"' in out
    assert "LM Studio gets POST /v1/chat/completions:" in out


def test_a_request_that_would_wake_a_machine_wakes_none(machines, tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"path": "/api/chat", "body": CHAT | {"model": "big"}}), encoding="utf-8")
    assert machines(str(file)) == "Wakes nas first, and waits until it answers. What follows is not known before.\n"


def test_a_model_before_one_lm_studio_is_answered_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FakeLMStudio(rows=[v1_model("tiny")]) as backend:
        result = CliRunner().invoke(cli, ["explain", "tiny", "--lmstudio-url", backend.url])
    assert result.output == f"LM Studio at {backend.url} answers for tiny:latest.\n"


def test_a_file_that_does_not_exist_is_an_error(machines, tmp_path):
    assert "There is no file 'nope.json'." in machines("nope.json")
    assert "There is no file" in machines(str(tmp_path))


def test_a_name_too_long_for_a_file_is_that_of_a_model(machines):
    assert "No machine that answers has xxx" in machines("x" * 5000)

"""A recorded request, explained without sending it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.fake_lmstudio import FakeLMStudio, v1_model

from flask_shim.cli import cli

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
    with FakeLMStudio(rows=[v1_model("tiny")]) as backend:

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


def test_a_rejected_request_shows_its_error(explain):
    out = explain({"path": "/api/chat", "body": {"model": "unknown", "messages": []}}).output
    assert "LM Studio gets nothing. The client gets status 404:" in out


def test_embeddings_are_not_sent_either(explain):
    assert "LM Studio gets" in explain({"path": "/v1/embeddings", "body": {"model": "tiny", "input": "a"}}).output


@pytest.mark.parametrize("recorded", [[], {}, {"path": "/api/chat"}, {"client": {"request": None}}])
def test_a_file_without_a_request_is_an_error(explain, recorded):
    result = explain(recorded)
    assert result.exit_code == 1
    assert "it needs an object with path and body" in result.output

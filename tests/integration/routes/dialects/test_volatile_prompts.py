"""Claude Code's billing line does not reach LM Studio on any route, unless the setting keeps it."""

from __future__ import annotations

import logging

import pytest
from support.answers import streams

from flask_shim.routes import model_requests

LINE = "x-anthropic-billing-header: cc_version=2.1.207.0d9; cc_entrypoint=cli; cch=fa690;"
CLAUDE = "You are Claude Code."
HI = {"role": "user", "content": "hi"}
BLOCKS = [{"type": "text", "text": LINE}, {"type": "text", "text": CLAUDE}]

REQUESTS = [
    ("/v1/messages", {"system": BLOCKS, "max_tokens": 9, "messages": [HI]}),
    ("/v1/chat/completions", {"messages": [{"role": "system", "content": BLOCKS}, HI]}),
    (
        "/v1/chat/completions",
        {"messages": [{"role": "system", "content": LINE}, {"role": "system", "content": CLAUDE}, HI]},
    ),
    ("/api/chat", {"messages": [{"role": "system", "content": f"{LINE}\n\n{CLAUDE}"}, HI]}),
]


@pytest.mark.parametrize(("path", "body"), REQUESTS)
def test_the_line_is_removed_on_every_route(path, body, lm_studio, client_of, caplog):
    model_requests._log_first_removal.cache_clear()
    backend = lm_studio("v0", streams("Hi"))
    client = client_of(backend)
    with caplog.at_level(logging.DEBUG, logger="flask_shim"):
        for _ in range(2):
            assert client.post(path, json={"model": "tiny", **body}, buffered=True).status_code == 200
    assert backend.asked[-1].json["messages"] == [{"role": "system", "content": CLAUDE}, HI]
    removals = [record.levelname for record in caplog.records if "x-anthropic-billing-header" in record.getMessage()]
    assert sorted(removals) == ["INFO", "INFO", "INFO"]  # one that tells why, and two access logs
    assert "fa690" not in caplog.text


@pytest.mark.parametrize(("path", "body"), REQUESTS)
def test_a_setting_keeps_the_line(path, body, lm_studio, client_of):
    backend = lm_studio("v0", streams("Hi"))
    client = client_of(backend, keep_billing_line=True)
    assert client.post(path, json={"model": "tiny", **body}, buffered=True).status_code == 200
    system = backend.asked[-1].json["messages"][0]["content"]
    assert system.startswith(LINE)
    assert CLAUDE in system


def test_the_line_of_a_user_is_left_alone(lm_studio, client_of):
    backend = lm_studio("v0", streams("Hi"))
    turns = [{"role": "user", "content": f"{LINE}\nWhat is this?"}]
    for path in ("/api/chat", "/v1/chat/completions"):
        client_of(backend).post(path, json={"model": "tiny", "messages": turns}, buffered=True)
        assert backend.asked[-1].json["messages"] == turns

"""The ring of exchanges: bounded in number, in bytes and in time; empty while it is off."""

from __future__ import annotations

import pytest

from flask_shim.observability import inspector as module
from flask_shim.observability.inspector import EDGE_CHUNKS, Body, Chunks, Inspector
from flask_shim.observability.request_context import RequestRecord


def ended(inspector, number, *, method="POST", status=200, body=b'{"a": 1}'):
    record = RequestRecord(id=str(number), method=method, path="/api/chat", status=status)
    record.exchange = inspector.start(record, {"HTTP_USER_AGENT": "curl"})
    record.exchange.body = Body(body)
    record.end()
    inspector.finish(record.exchange)
    return record.exchange


def kept(inspector):
    return [exchange.record.id for exchange in inspector.exchanges()]


def test_only_the_last_ones_are_kept():
    inspector = Inspector(2)
    for number in range(4):
        ended(inspector, number)
    assert kept(inspector) == ["3", "2"]
    assert inspector.find("3").body.to_json() == {"a": 1}
    assert inspector.find("0") is None


def test_large_ones_push_the_oldest_out(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    inspector = Inspector(10)
    for number in range(4):
        ended(inspector, number, body=b'{"prompt": "%s"}' % (b"a" * 30))
    assert kept(inspector) == ["3", "2"]


def test_running_requests_are_never_pushed_out():
    inspector = Inspector(1)
    running = RequestRecord(id="running", method="POST")
    inspector.start(running, {})
    ended(inspector, 1)
    assert kept(inspector) == ["running"]


@pytest.mark.parametrize(("status", "is_kept"), [(200, False), (304, False), (403, True)])
def test_lists_that_clients_poll_are_kept_only_if_refused(status, is_kept):
    inspector = Inspector(5)
    ended(inspector, 1, method="GET", status=status)
    assert bool(kept(inspector)) is is_kept


def test_it_switches_itself_off_and_keeps_what_it_has(monkeypatch):
    inspector = Inspector()
    assert inspector.limit == 0
    now = [1000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    inspector.switch_on(5, seconds=60)
    ended(inspector, 1)
    assert (inspector.limit, inspector.until) == (5, 1060.0)
    now[0] = 1061.0
    assert (inspector.limit, kept(inspector)) == (0, ["1"])
    inspector.switch_off()
    assert kept(inspector) == []


def test_of_long_answers_both_ends_are_kept():
    chunks = Chunks(0)
    for number in range(3 * EDGE_CHUNKS):
        chunks.add(b"%d" % number)
    shown = chunks.to_json()
    assert (shown["chunks"], shown["bytes"]) == (24, 38)
    assert [chunk["text"] for chunk in shown["first"]] == [str(number) for number in range(EDGE_CHUNKS)]
    assert [chunk["text"] for chunk in shown["last"]] == [
        str(number) for number in range(2 * EDGE_CHUNKS, 3 * EDGE_CHUNKS)
    ]


def test_new_process_continues_as_another_records():
    running, new = Inspector(), Inspector(20)
    new.resume(running.state)
    assert new.limit == 0
    running.switch_on(5, 60)
    new.resume(running.state)
    assert (new.limit, new.until) == (5, running.until)


def test_the_token_that_an_answer_quotes_is_masked():
    exchange = ended(Inspector(1), 1)
    exchange.add_request("POST", "/v1/chat/completions", b"{}")
    read = exchange.add_answer(401, lambda: b"invalid token sk-lm-1", "sk-lm-1")
    assert read() == b"invalid token sk-lm-1"
    assert exchange.backend[0].answer.to_json()["first"][0]["text"] == "invalid token ***"

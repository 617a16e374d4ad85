"""Clients that do not read, send too much or too slowly, and old ones: no other client is affected."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from support.answers import endless, silent, streams
from support.checked_shim import STREAMS, THREADS, chat
from support.fake_lmstudio import CHAT
from support.resources import resources_of, temporary_files_of
from support.wire import Wire, request, send_request

STREAM = ("/api/chat", chat())


def unread(watched, path="/api/chat", body=None):
    """Ask for a stream on a connection that nothing is read from."""
    wire = Wire(watched.port, receive_bytes=4096)
    wire.ask(path, body or chat())
    return wire


# Answers that are not read


@pytest.mark.parametrize("megabytes", [1, 20])
def test_unread_answer_holds_nothing_once_it_is_complete(patient, studio, until, megabytes):
    studio.answers[CHAT] = streams(*["x" * 100_000] * 10 * megabytes)
    with unread(patient) as wire:
        until(lambda: studio.at(CHAT))
        assert patient.end_of("/api/chat")["outcome"] == "done"
        until(lambda: resources_of(patient.shim)[:3] == (0, 0, 0))
        if megabytes == 1:  # more would take its time through so small a buffer
            assert wire.answer().lines[-1]["done"] is True
    until(lambda: temporary_files_of(patient.shim) == 0)


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_endless_unread_answer_is_cut_at_the_limit(impatient, studio, until, path):
    studio.answers[CHAT] = endless(0.0005, "x" * 20_000)
    with unread(impatient, path, chat(stream=True)) as wire:
        facts = impatient.end_of(path)
        assert (facts["outcome"], facts["level"]) == ("error:backend_protocol_error", "WARNING")
        until(lambda: resources_of(impatient.shim)[:3] == (0, 0, 0))
        assert b"the answer is too long" in wire.answer().body


def test_reader_that_is_slow_gets_all_of_it(patient, studio):
    studio.answers[CHAT] = streams(*["x" * 50_000] * 20)
    with unread(patient) as wire:
        for _ in range(10):
            time.sleep(0.02)
            wire.received += wire.sock.recv(1000)
        assert sum(len(line["message"]["content"]) for line in wire.answer().lines) == 1_000_000


# Requests that come in odd ways


def test_request_that_drips_in_is_answered(patient):
    with Wire(patient.port) as wire:
        wire.drip(request(*STREAM)[:200], 0.002)
        wire.send(request(*STREAM)[200:])
        assert wire.answer().lines[-1]["done"] is True


def test_slow_requests_do_not_delay_others(patient):
    """A head of its own pace takes a connection, and no thread."""
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(patient.port)) for _ in range(110)]
        for wire in wires:
            wire.send(b"GET /health HTTP/1.1\r\nX: ")
        for _ in range(5):
            for wire in wires:
                wire.send(b"x")
            assert patient.ask("/health").status == 200
            assert patient.ask(*STREAM).lines[-1]["done"] is True


def test_streams_in_a_row_are_answered_on_one_connection(patient, studio):
    with Wire(patient.port) as wire:
        wire.send(request(*STREAM, closes=False) * 2 + request(*STREAM))
        raw = wire.rest()
    assert raw.count(b"HTTP/1.1 200 OK") == raw.count(b'"done":true') == 3
    assert raw.count(b"\r\nConnection: close\r\n") == 1
    assert len(studio.asked_for(CHAT)) == 3


def test_requests_in_a_row_are_answered_in_order_on_one_connection(patient):
    paths = ["/api/version", "/health", "/api/tags", "/nowhere"]
    with Wire(patient.port) as wire:
        wire.send(b"".join(request(path, closes=False) for path in paths) + request("/"))
        raw = wire.rest()
    assert [answer.split(b" ", 1)[0] for answer in raw.split(b"HTTP/1.1 ")[1:]] == [b"200"] * 3 + [b"404", b"200"]


def test_old_client_gets_a_stream_that_ends_with_its_connection(patient):
    answer = send_request(patient.port, *STREAM, protocol="HTTP/1.0")
    assert "transfer-encoding" not in answer.headers
    assert answer.lines[-1]["done"] is True


def test_old_client_sees_a_broken_stream_by_its_last_line(patient, studio):
    studio.answers[CHAT] = streams("one", ends=False)
    answer = send_request(patient.port, *STREAM, protocol="HTTP/1.0")
    assert list(answer.lines[-1]) == ["error"]


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/v1/chat/completions", "/v1/messages", "/chat/stream"])
def test_head_request_never_begins_a_stream(patient, studio, path):
    assert send_request(patient.port, path, chat(), method="HEAD").status == 405
    assert studio.asked_for(CHAT) == []


# Clients that leave before their turn


def test_a_disconnect_from_a_full_server_reaches_no_backend(patient, studio, until):
    """Generations have their slots, lists hang: for a second every thread is taken, and the rest has to wait."""
    studio.answers[CHAT] = endless(0.05)
    patient.ask("/health")
    with ExitStack() as opened:
        streaming = [opened.enter_context(patient.wire(*STREAM)) for _ in range(STREAMS)]
        for wire in streaming:
            wire.until(b"tok ")
        studio.answers["/api/v1/models"] = silent
        hanging = [opened.enter_context(patient.wire("/api/tags")) for _ in range(THREADS - STREAMS)]
        studio.until(lambda: studio.open_at("/api/v1/models"))
        with patient.wire("/api/show", {"model": "tiny"}), patient.wire("/v1/embeddings", {"model": "x"}):
            time.sleep(0.2)  # they are in the queue, if they can be anywhere
        for _ in range(2):
            patient.ask("/health")  # the thread that reads has seen them go when it has read more
        for wire in (*hanging, *streaming):
            wire.close()
        studio.answers.clear()
        studio.kill()
    studio.back()
    until(lambda: resources_of(patient.shim)[:3] == (0, 0, 0))
    assert "path=/api/show" not in patient.log
    assert "path=/v1/embeddings" not in patient.log


def test_immediate_disconnect_leaves_nothing(patient, studio):
    for _ in range(30):
        Wire(patient.port).close()
        wire = patient.wire(*STREAM)
        wire.reset()
        wire = Wire(patient.port)
        wire.send(request(*STREAM)[:-5])
        wire.reset()

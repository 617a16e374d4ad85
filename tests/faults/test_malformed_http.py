"""Requests that are no proper HTTP: each is answered as a file says it is, its connection closed, and others served."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.checked_shim import chat
from support.processes import ShimProcess
from support.resources import temporary_files_of
from support.wire import Wire, answer_in, send_request

FOLDER = Path(__file__).parents[1] / "data" / "requests"
CORPUS = sorted(FOLDER.glob("*.http"))

CLOSED = "closed"


def in_file(path):
    """Return what the first line of a file expects, and the request that the rest of it is.

    In the request, ``\\r``, ``\\n``, ``\\0`` and ``\\xff`` stand for the bytes they name, ``{x*70}`` for 70 times an x,
    and line ends of the file itself for nothing.
    """
    first, _, rest = path.read_text(encoding="ascii").partition("\n")
    expected = re.fullmatch(r"# (\d{3}(?: \d{3})*|closed)(?:: .*)?", first)
    assert expected, f"{path.name} does not say what it expects"
    text = re.sub(r"\{(.)\*(\d+)\}", lambda found: found[1] * int(found[2]), rest.replace("\n", ""))
    return expected[1], text.encode("ascii").decode("unicode_escape").encode("latin-1")


def statuses(raw):
    """Return the statuses of all answers in what came back."""
    return " ".join(status.decode() for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", raw)) or CLOSED


def test_corpus_is_there():
    assert len(CORPUS) > 40


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_malformed_request_gets_the_status_in_its_file(patient, path):
    expected, request = in_file(path)
    with Wire(patient.port) as wire:
        wire.send(request)
        assert statuses(wire.rest()) == expected
    assert patient.ask("/health").status == 200
    assert " CRITICAL " not in patient.log


def test_malformed_request_is_one_line_in_the_log(patient):
    with Wire(patient.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n")
        assert statuses(wire.rest()) == "400"
    patient.shim.until(r"malformed request status=400 client=127\.0\.0\.1: ")


# Bodies that are too large

TOO_LARGE = "request body is too large: at most 2000000 bytes (see SHIM_MAX_REQUEST_BYTES)"


def test_body_that_announces_too_much_is_refused_while_it_is_sent(impatient):
    with Wire(impatient.port) as wire:
        wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n")
        answer = wire.answer()
        assert (answer.status, answer.json) == (413, {"error": TOO_LARGE})
        assert temporary_files_of(impatient.shim) == 0
    assert impatient.end_of("/api/chat")["rejected_by"] == "size"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_body_announced_too_large_is_rejected_in_the_routes_form(impatient, path):
    with Wire(impatient.port) as wire:
        wire.send(b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n" % path.encode())
        answer = wire.answer()
    assert (answer.status, answer.json["error"]["message"]) == (413, TOO_LARGE)
    assert answer.headers["x-request-id"]


def test_expect_100_continue_with_a_large_body_is_rejected(impatient):
    with Wire(impatient.port) as wire:
        wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n")
        wire.send(b"Content-Length: 20000000\r\n\r\n")
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_large_body_without_access_is_rejected_for_the_access(impatient):
    with Wire(impatient.port) as wire:
        wire.send(b"POST /api/chat HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 20000000\r\n\r\n")
        assert wire.answer().status == 403


def test_a_chunked_body_too_large_is_rejected_and_leaves_no_file(impatient):
    block = b"%x\r\n%s\r\n" % (100_000, b"x" * 100_000)
    with Wire(impatient.port) as wire:
        wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            wire.send(block)
        answer = wire.answer()
    assert (answer.status, answer.json) == (413, {"error": TOO_LARGE})
    assert temporary_files_of(impatient.shim) == 0


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
def test_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(impatient, more, status):
    body = b'{"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "pad": "%s"}'
    padding = b"x" * (2_000_000 + more - len(body) + len(b"%s"))
    assert impatient.ask("/api/chat", body % padding).status == status


def test_expect_100_continue_gets_100_before_a_large_body(patient):
    body = b'{"model": "tiny", "messages": [{"role": "user", "content": "%s"}]}' % (b"x" * 5_000_000)
    with Wire(patient.port) as wire:
        wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        wire.send(b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert wire.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.received = b""
        wire.send(body)
        assert wire.answer().lines[-1]["done"] is True


@pytest.mark.parametrize("start", [b"GET /api/tags HTTP/1.1\r\n", b"POST /api/chat HTTP/1.1\r\nContent-Length: 0\r\n"])
def test_expect_100_continue_without_a_body_is_answered(patient, start):
    with Wire(patient.port) as wire:
        wire.send(start + b"Host: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
        assert wire.answer().status == (200 if start.startswith(b"GET") else 400)


# Lines without an end


@pytest.mark.parametrize("begin", [b"", b"0\r\n", b"1;"], ids=["size", "trailer", "extension"])
def test_endless_chunk_line_is_rejected_at_once(patient, begin):
    with Wire(patient.port) as wire:
        wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + begin)
        started = time.monotonic()
        for _ in range(300):
            if not _goes_on(wire, b"1" * 65536):
                break
        assert statuses(wire.rest()) in ("400", CLOSED)
        assert time.monotonic() - started < 2
    assert send_request(patient.port, "/health").status == 200


def _goes_on(wire, data):
    try:
        wire.send(data)
    except OSError:
        return False
    return True


# Clients that never finish what they say


SLOW = {
    "a bare line end": b"GET /health HTTP/1.1\nHost: localhost\n\n",
    "half a line": b"GET /heal",
    "a greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "half a body": b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
    "nothing": b"",
}


@pytest.fixture(scope="module")
def short_tempered():
    """A shim under waitress-serve with short times for idle connections."""
    options = ("--listen=127.0.0.1:0", "--threads=8", "--channel-timeout=1", "--cleanup-interval=1")
    arguments = (*options, "--channel-request-lookahead=1", "--connection-limit=30", "--call", "flask_shim:create_app")
    with ShimProcess(module="waitress", arguments=arguments) as shim:
        yield shim


def test_clients_that_stop_in_the_middle_are_closed_after_a_while(short_tempered):
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(short_tempered.port)) for _ in SLOW]
        for wire, data in zip(wires, SLOW.values(), strict=True):
            wire.send(data)
        assert [wire.is_closed() for wire in wires] == [True] * len(SLOW)
        assert [wire.received for wire in wires] == [b""] * len(SLOW)


def test_idle_clients_at_the_limit_make_room_for_others_after_a_while(short_tempered):
    with ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(Wire(short_tempered.port))
        short_tempered.until("no longer accepting new connections")
        assert send_request(short_tempered.port, "/health").status == 200
    short_tempered.until("listening again")


def test_answer_arrives_although_the_body_is_not_read(patient):
    """The status of a refusal is there also for a client that sends all of its body first."""
    with Wire(patient.port) as wire:
        wire.ask("/api/chat", chat(pad="x" * 3_000_000), headers={"Origin": "https://evil.test"})
        assert answer_in(wire.rest()).status == 403

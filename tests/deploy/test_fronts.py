"""Front proxies with the shipped configurations: what a client sees of the shim is what it sees without them."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest
from support.answers import endless, event, replies, silent, streams
from support.fake_lmstudio import CHAT
from support.front_proxies import HOST
from support.peer import Peer
from support.socket_server import DEADLINE_SECONDS
from support.wire import send_request

SOON_SECONDS = 3.0
"""Generous: it takes milliseconds."""

TOKENS = 40

HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}

ROUTES = {"/api/chat": HELLO, "/v1/chat/completions": HELLO | {"stream": True}}


@pytest.mark.parametrize("path", ROUTES)
def test_a_token_has_arrived_before_the_next_one_is_made(front, studio, path):
    arrived = threading.Semaphore(0)
    words = [f"word{number}." for number in range(TOKENS)]

    def wait(_: Peer) -> None:
        assert arrived.acquire(timeout=DEADLINE_SECONDS)

    studio.answers[CHAT] = streams(*(step for word in words for step in (word, wait)))
    moments = []
    with front.wire(path, ROUTES[path]) as wire:
        for word in words:
            wire.until(word.encode())
            moments.append(time.monotonic())
            arrived.release()
        answer = wire.answer()
    assert answer.is_whole
    assert "content-encoding" not in answer.headers
    gaps = sorted(later - earlier for earlier, later in pairwise(moments))
    # A millisecond in truth, and more on a busy machine; who hopes for more to come waits for 40 or 200 each time.
    assert gaps[TOKENS // 4] < 0.03


def test_events_arrive_as_the_backend_sent_them(front, studio):
    studio.answers[CHAT] = streams("one", "two")
    answer = front.ask("/v1/chat/completions", HELLO | {"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body.startswith(event("one") + event("two"))
    assert answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("answer", [endless(), silent], ids=["running", "silent"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_disconnect_stops_the_model(front, studio, answer, stream):
    studio.answers[CHAT] = answer
    with front.wire("/api/chat", HELLO | {"stream": stream}):
        studio.until(lambda: studio.open_at(CHAT))
    studio.until(lambda: not studio.open_at(CHAT), SOON_SECONDS)


def test_an_upload_of_two_mebibytes_arrives(front, studio):
    text = "x" * 2 * 1024 * 1024
    answer = front.ask("/api/chat", HELLO | {"messages": [{"role": "user", "content": text}]})
    assert answer.lines[-1]["done"] is True
    assert studio.asked_for(CHAT)[-1].json["messages"][-1]["content"] == text


REFUSED = {
    "no such model": ("/api/chat", HELLO | {"model": "no-such-model"}),
    "no JSON": ("/api/chat", b"{"),
    "no such route": ("/api/nothing", None),
    "refused by LM Studio": ("/api/chat", HELLO),
    "refused in OpenAI's words": ("/v1/chat/completions", HELLO),
}


@pytest.mark.parametrize(("path", "body"), REFUSED.values(), ids=REFUSED)
def test_a_rejection_keeps_its_status_and_text(front, shim, studio, path, body):
    studio.answers[CHAT] = replies({"error": {"message": "out of memory"}}, "500 Internal Server Error")
    direct = send_request(shim.port, path, body)
    answer = front.ask(path, body)
    assert direct.status >= 400
    assert (answer.status, answer.body) == (direct.status, direct.body)
    assert answer.headers["content-type"] == direct.headers["content-type"]


def test_unreachable_lm_studio_gives_the_shims_own_error(front, shim, studio):
    studio.kill()
    direct = send_request(shim.port, "/api/chat", HELLO)
    answer = front.ask("/api/chat", HELLO)
    studio.back()
    assert (answer.status, answer.body) == (503, direct.body)


def test_one_connection_serves_one_request_after_the_other(front):
    connection = front.kept()
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/api/version", headers={"Host": front.host})
        sockets.add(connection.sock)
        assert b"version" in connection.getresponse().read()
    connection.close()
    assert len(sockets) == 1


def test_a_page_of_the_shim_may_send_requests(front):
    own = f"{HOST}:{front.port}"
    headers = {"Host": own, "Origin": f"{'https' if front.tls else 'http'}://{own}"}
    assert front.ask("/api/show", {"model": "tiny"}, headers=headers).status == 200
    other = front.ask("/api/show", {"model": "tiny"}, headers=headers | {"Origin": "https://elsewhere.example.org"})
    assert other.status == 403


def test_a_disallowed_host_is_rejected_behind_a_proxy_too(front):
    answer = front.ask("/api/tags", headers={"Host": "rebound.example.com"})
    assert answer.status == 403
    assert "rebound.example.com" in answer.json["error"]


def test_a_backend_that_breaks_off_is_one_error_line(front, studio):
    studio.answers[CHAT] = streams("one", Peer.reset, ends=False)
    answer = front.ask("/api/chat", HELLO)
    assert answer.is_whole
    assert ["error" in line for line in answer.lines] == [False, True]

"""Proxies that cut silent responses: heartbeats keep a streamed answer alive behind them."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support.answers import streams
from support.fake_lmstudio import CHAT
from support.front_proxies import FrontProxy
from support.processes import ShimProcess

SHORT = {
    "nginx": {"proxy_read_timeout 630s": "proxy_read_timeout 1s"},
    "haproxy": {"timeout server 630s": "timeout server 1s", "timeout client 630s": "timeout client 1s"},
}
SILENCE_SECONDS = 1.3

ENDS = {
    "/api/chat": b'"done":true',
    "/v1/chat/completions": b"data: [DONE]\n\n",
    "/v1/responses": b"event: response.completed\n",
    "/v1/messages": b"event: message_stop\n",
}


@pytest.fixture(scope="module")
def alive(one_studio):
    with ShimProcess(one_studio.url, SHIM_HEARTBEAT_SECONDS="0.3") as shim:
        yield shim


@pytest.fixture(params=SHORT)
def short_front(request, alive):
    """Give a front with a limit of one second, from which one shim can be reached."""
    with FrontProxy(request.param, [alive.port], SHORT[request.param]) as front:
        yield front


def test_silence_beyond_the_limit_of_a_proxy_is_survived(short_front, studio):
    studio.answers[CHAT] = lambda peer: (peer.pause(SILENCE_SECONDS), streams("Hello", SILENCE_SECONDS, "!")(peer))
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "tiny", "messages": messages, "input": messages, "max_tokens": 9, "stream": True}
    with ExitStack() as opened:
        wires = [opened.enter_context(short_front.wire(path, body)) for path in ENDS]
        for wire, end in zip(wires, ENDS.values(), strict=True):
            answer = wire.answer()
            assert (answer.status, answer.is_whole) == (200, True)
            assert b"Hello" in answer.body
            assert answer.body.count(end) == 1


def test_whole_answer_is_cut_by_the_proxy(short_front, studio):
    """Proves that the limit is in force."""
    studio.answers[CHAT] = lambda peer: peer.hold()
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    assert short_front.ask("/api/chat", body).status == 504

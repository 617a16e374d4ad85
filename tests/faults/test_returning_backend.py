"""An LM Studio that dies and comes back, as itself or as another version: one error, and the next request works."""

from __future__ import annotations

import json
import threading

import pytest
from support.answers import endless, event, sse, streams
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT, COLD, EMBEDDER

from flask_shim.lmstudio.api_versions import ApiVersion

CUT = "connection lost: LM Studio closed it before its answer was complete"
WHOLE_STREAM = b"".join(map(event, ["one ", "two ", "three "])) + sse(
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
)


@pytest.fixture
def dying(trusting, studio):
    """The shim, with an LM Studio that is alive again after the test."""
    yield trusting
    studio.kill()
    studio.back()


def dies(studio):
    """Return a step of a stream at which LM Studio dies."""
    return lambda peer: threading.Thread(target=studio.kill).start() or peer.hold()


def works(watched):
    """Tell whether the next chat is answered."""
    return watched.ask("/api/chat", chat()).lines[-1].get("done") is True


@pytest.mark.parametrize("size", range(1, len(WHOLE_STREAM) - len(b'"stop"}]}\n\n'), 61))
@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_a_backend_crash_anywhere_in_a_stream_is_one_error(dying, studio, path, size):
    studio.answers[CHAT] = streams(WHOLE_STREAM[:size], dies(studio))
    answer = dying.ask(path, chat(stream=True))
    assert answer.is_whole
    assert answer.body.count(b'"error"') == 1
    assert answer.body.count(CUT.encode()) == 1
    assert answer.status == (502 if size < len(event("one ")) else 200)
    studio.answers.clear()
    studio.back()
    assert works(dying)


def test_a_backend_crash_is_one_error_in_each_stream(dying, studio):
    studio.answers[CHAT] = endless(0.05)
    wires = [dying.wire("/api/chat", chat()) for _ in range(4)]
    for wire in wires:
        wire.until(b"tok ")
    studio.kill()
    for wire in wires:
        with wire:
            answer = wire.answer()
            assert answer.is_whole
            assert [line for line in answer.lines if "error" in line] == [answer.lines[-1]] == [{"error": CUT}]
    studio.answers.clear()
    studio.back()
    assert works(dying)


ASKS = {
    "a chat": ("/api/chat", chat()),
    "a prompt": ("/api/generate", {"model": "tiny", "prompt": PROMPT}),
    "a chat with a cold model": ("/api/chat", chat(model=COLD)),
    "a chat with more context": ("/api/chat", chat(model=COLD, options={"num_ctx": 8000})),
    "a load": ("/api/chat", {"model": COLD, "messages": []}),
    "vectors": ("/api/embed", {"model": EMBEDDER, "input": PROMPT}),
    "a list": ("/api/tags", None),
    "a description": ("/api/show", {"model": "tiny"}),
    "loaded models": ("/api/ps", None),
    "a passed-on chat": ("/v1/chat/completions", chat()),
    "a response": ("/v1/responses", {"model": "tiny", "input": PROMPT}),
    "a message": ("/v1/messages", {"model": "tiny", "max_tokens": 5, "messages": chat()["messages"]}),
    "a service's chat": ("/chat", chat(model_key="tiny")),
}


@pytest.mark.parametrize("after", ApiVersion, ids=lambda generation: generation.name)
@pytest.mark.parametrize("before", ApiVersion, ids=lambda generation: generation.name)
def test_backend_may_come_back_as_another_version(dying, studio, before, after):
    failed = []
    for name, (path, body) in ASKS.items():
        studio.kill()
        assert dying.ask("/api/chat", chat()).status == 503
        studio.back(before)
        assert works(dying)
        studio.answers[CHAT] = endless(0.05)
        with dying.wire("/api/chat", chat()) as wire:
            wire.until(b"tok ")
            studio.kill()
            assert wire.answer().lines[-1] == {"error": CUT}
        studio.answers.clear()
        studio.back(after)
        answer = dying.ask(path, body)
        if answer.status != 200:
            failed.append((name, answer.status, json.loads(answer.body)))
    assert failed == []

"""What LM Studio does without a message: it leaves out the middle of a prompt, or answers nothing at all."""

from __future__ import annotations

import pytest
from support.answers import replies, sse, streams
from support.fake_lmstudio import CHAT, LOAD, WHOLE
from support.peer import Peer
from support.protocols import PROTOCOLS

LONG = [{"role": "user", "content": "word " * 10_000}]
ROUTES = [protocol for protocol in PROTOCOLS if protocol.path in {"/api/chat", CHAT}]
"""One that is translated, one that is forwarded."""


def end(**usage):
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return sse(finish) + sse({"choices": [], "usage": usage}) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", ROUTES, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize(("tokens", "is_cut"), [(3000, True), (12_000, False)])
def test_a_prompt_without_its_middle_is_in_the_log(tokens, is_cut, protocol, stream, studio, client, caplog):
    usage = {"prompt_tokens": tokens, "completion_tokens": 2}
    whole = replies(WHOLE | {"usage": usage})
    streamed = stream or protocol.path != CHAT
    studio.answers[CHAT] = streams("Hel", "lo", end(**usage), ends=False) if streamed else whole
    assert protocol.ask(client, stream=stream, messages=LONG).text in {"Hello", "Hello world"}
    assert ("read 3000 tokens of about 12500: the prompt is longer than the context of 4096" in caplog.text) is is_cut


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", ROUTES, ids=lambda protocol: protocol.name)
def test_an_empty_answer_reloads_the_model_where_that_is_wanted(protocol, stream, studio, client_with):
    usage = {"prompt_tokens": 5000, "completion_tokens": 0}
    empty = WHOLE | {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "stop"}], "usage": usage}
    streamed = stream or protocol.path != CHAT
    studio.answer = lambda asked: (
        (streams(end(**usage), Peer.hold, ends=False) if streamed else empty)  # the end of the body never comes
        if asked.path == CHAT and studio.models["tiny"] == 4096
        else None
    )
    outcome = protocol.ask(client_with(auto_context=True), stream=stream)
    assert (outcome.status, outcome.is_complete, outcome.error) == (200, True, "")
    assert [body["context_length"] for body in studio.posted(LOAD)] == [8192]
    studio.answer = None

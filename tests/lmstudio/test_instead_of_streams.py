"""What a backend may send instead of the stream it was asked for."""

from __future__ import annotations

import pytest
from support.scripts import USAGE, replies, sse

from flask_shim.errors import (
    BackendBroke,
    BackendError,
    BackendRefused,
    ModelFailed,
    NoModelLoaded,
    NoSuchEndpoint,
)
from flask_shim.lmstudio.events import Usage

CRASHED = "The model has crashed without additional information. (Exit code: null)"
CRASH = {"error": {"message": CRASHED}, "message": CRASHED}
DONE = b"data: [DONE]\n\n"
FINISH = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def test_a_whole_answer_to_a_request_for_a_stream_is_taken(opened):
    (events,) = opened(replies(WHOLE))
    assert events[0].choices[0].message.content == "Hello!"
    assert events[0].usage == Usage(3, 2)


INSTEAD = {
    "an error with status 200": (replies({"error": "Unexpected endpoint or method. (POST /x)"}), NoSuchEndpoint),
    "an error with status 400": (replies({"error": "'messages' field is required"}, "400 X"), BackendRefused),
    "nothing loaded": (replies({"error": "No models loaded. Please load one."}, "400 X"), NoModelLoaded),
    "a crash with status 400": (replies({"error": CRASHED}, "400 X"), ModelFailed),
    "an error page": (replies("<html>502</html>", "502 X", content_type="text/html"), BackendError),
    "a redirect": (replies("", "302 X", location="/login"), BackendBroke),
    "a web page": (replies("<html>hello</html>", content_type="text/html"), BackendBroke),
    "an empty object": (replies({}), BackendBroke),
    "a list of models": (replies({"data": []}), BackendBroke),
    "no choices": (replies({"choices": []}), BackendBroke),
    "nothing at all": (replies(""), BackendBroke),
    "a compressed stream": (
        replies(b"\x1f\x8b", content_type="text/event-stream", content_encoding="gzip"),
        BackendBroke,
    ),
}


@pytest.mark.parametrize(("answer", "kind"), INSTEAD.values(), ids=INSTEAD.keys())
def test_what_comes_instead_of_a_stream_is_raised_while_opening(opened, answer, kind):
    with pytest.raises(kind):
        opened(answer)

"""What a backend may send instead of the stream it was asked for."""

from __future__ import annotations

import pytest
from support.answers import USAGE, replies, sse

from flask_shim.lmstudio.completion_events import Usage
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    ModelLoadError,
    NoModelLoaded,
    NoSuchEndpoint,
)

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
    assert events[0].choices[0].text == "Hello!"
    assert events[0].usage == Usage(3, 2)


INSTEAD = {
    "an error with status 200": (replies({"error": "Unexpected endpoint or method. (POST /x)"}), NoSuchEndpoint),
    "an error with status 400": (replies({"error": "'messages' field is required"}, "400 X"), BackendRequestError),
    "nothing loaded": (replies({"error": "No models loaded. Please load one."}, "400 X"), NoModelLoaded),
    "a crash with status 400": (replies({"error": CRASHED}, "400 X"), ModelLoadError),
    "an error page": (replies("<html>502</html>", "502 X", content_type="text/html"), BackendError),
    "a redirect": (replies("", "302 X", location="/login"), BackendProtocolError),
    "a web page": (replies("<html>hello</html>", content_type="text/html"), BackendProtocolError),
    "an empty object": (replies({}), BackendProtocolError),
    "a list of models": (replies({"data": []}), BackendProtocolError),
    "no choices": (replies({"choices": []}), BackendProtocolError),
    "nothing at all": (replies(""), BackendProtocolError),
    "a compressed stream": (
        replies(b"\x1f\x8b", content_type="text/event-stream", content_encoding="gzip"),
        BackendProtocolError,
    ),
}


@pytest.mark.parametrize(("answer", "kind"), INSTEAD.values(), ids=INSTEAD.keys())
def test_an_error_instead_of_a_stream_is_raised_while_opening(opened, answer, kind):
    with pytest.raises(kind):
        opened(answer)

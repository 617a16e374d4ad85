"""An open completion told in the shape of another protocol: named events while it is made, or one object."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from flask import Response

from flask_shim.answering import pieces_of, whole_of
from flask_shim.completions import Completion
from flask_shim.errors import NotSupported
from flask_shim.streams import SSE, streamed
from flask_shim.translate.named_events import Ending, Reply
from flask_shim.translate.records import Answer
from flask_shim.translate.replies import AnswerReader, Reading


def retold(
    completion: Completion, reply: Reply, reading: Reading, *, stream: bool, to_error: Callable[[str], bytes]
) -> Response:
    """Answer with an open completion, which belongs to the response from this call on."""
    reader = AnswerReader(reading)
    if stream:
        return streamed(_events(completion, reader, reply), completion.owned, mimetype=SSE, to_error=to_error)
    with completion.owned:
        answer = whole_of(completion, reader)
        return whole(reply.whole(answer, _ending(completion, reader), _now()))


def wordless(reply: Reply, *, stream: bool) -> Response:
    """Answer a request that said nothing: there is nothing to ask a model then."""
    if not stream:
        return whole(reply.whole(Answer(), Ending(), _now()))
    return Response(reply.opening() + reply.closing(Ending(), _now()), content_type=SSE)


def prompt_tokens(completion: Completion) -> int:
    """Read an open completion to its end and return how many tokens its prompt had."""
    reader = AnswerReader(Reading())
    with completion.owned:
        for events in completion:
            reader.feed(events)
    if reader.usage is None:
        raise NotSupported("this backend does not tell how many tokens a prompt has")
    return reader.usage.prompt_tokens


def whole(body: dict[str, Any]) -> Response:
    """Return ``body`` as Ollama sends it on the routes that are not its own: no charset, and a line end."""
    return Response(orjson.dumps(body) + b"\n", content_type="application/json")


def _events(completion: Completion, reader: AnswerReader, reply: Reply) -> Iterator[bytes]:
    """Yield the events of each read together."""
    yield reply.opening()
    for pieces in pieces_of(completion, reader):
        if events := reply.told(pieces):
            yield events
    yield reply.closing(_ending(completion, reader), _now())


def _ending(completion: Completion, reader: AnswerReader) -> Ending:
    totals = completion.totals(reader)
    return Ending(totals.prompt_eval_count, totals.eval_count, reader.finish_reason)


def _now() -> int:
    return int(time.time())

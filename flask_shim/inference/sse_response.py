"""An open completion told in the shape of another protocol: named events while it is made, or one object."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from flask import Response

from flask_shim.errors import NotSupported
from flask_shim.inference.completion import Completion
from flask_shim.inference.ollama_response import iter_pieces, read_whole
from flask_shim.inference.streaming import SSE, stream_response
from flask_shim.translate.answer.answer_reader import AnswerReader, ReaderOptions
from flask_shim.translate.answer.named_events import Ending, NamedEventEncoder
from flask_shim.translate.ollama.records import WholeAnswer


def sse_response(
    completion: Completion,
    reply: NamedEventEncoder,
    reading: ReaderOptions,
    *,
    stream: bool,
    to_error: Callable[[str], bytes],
) -> Response:
    """Answer with an open completion, which belongs to the response from this call on."""
    reader = AnswerReader(reading)
    if stream:
        return stream_response(_events(completion, reader, reply), completion.stack, mimetype=SSE, to_error=to_error)
    with completion.stack:
        answer = read_whole(completion, reader)
        return json_line_response(reply.whole(answer, _ending(completion, reader), _now()))


def empty_response(reply: NamedEventEncoder, *, stream: bool) -> Response:
    """Answer a request that said nothing: there is nothing to ask a model then."""
    if not stream:
        return json_line_response(reply.whole(WholeAnswer(), Ending(), _now()))
    return Response(reply.opening() + reply.closing(Ending(), _now()), content_type=SSE)


def count_prompt_tokens(completion: Completion) -> int:
    """Read an open completion to its end and return how many tokens its prompt had."""
    reader = AnswerReader(ReaderOptions())
    with completion.stack:
        for events in completion:
            reader.feed(events)
    if reader.usage is None:
        raise NotSupported("this backend does not tell how many tokens a prompt has")
    return reader.usage.prompt_tokens


def json_line_response(body: dict[str, Any]) -> Response:
    """Return ``body`` as Ollama sends it on the routes that are not its own: no charset, and a line end."""
    return Response(orjson.dumps(body) + b"\n", content_type="application/json")


def _events(completion: Completion, reader: AnswerReader, reply: NamedEventEncoder) -> Iterator[bytes]:
    """Yield the events of each read together."""
    yield reply.opening()
    for pieces in iter_pieces(completion, reader):
        if events := reply.encode(pieces):
            yield events
    yield reply.closing(_ending(completion, reader), _now())


def _ending(completion: Completion, reader: AnswerReader) -> Ending:
    totals = completion.totals(reader)
    return Ending(totals.prompt_eval_count, totals.eval_count, reader.finish_reason)


def _now() -> int:
    return int(time.time())

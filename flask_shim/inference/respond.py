"""Answer a request with a completion in any protocol, as a stream or as one object."""

from __future__ import annotations

import logging
import secrets
import string
import time
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Response

from flask_shim.error_responses import JSON_UTF8
from flask_shim.inference.completion import Completion
from flask_shim.inference.streaming import stream_response
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.observability.request_context import RequestRecord, current
from flask_shim.translate.answer.answer_reader import AnswerReader, Piece, ReaderOptions
from flask_shim.translate.answer.encoder import NDJSON, Encoder, FullAnswer
from flask_shim.translate.answer.usage import Totals

log = logging.getLogger(__name__)

_ID_CHARACTERS = string.ascii_lowercase + string.digits


def new_call_id() -> str:
    """Return a random id for a tool call, in Ollama's form."""
    return "call_" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(8))


def send_completion(completion: Completion, encoder: Encoder, options: ReaderOptions, *, stream: bool) -> Response:
    """Send an open completion, which this function closes, or the response when it ends."""
    reader = AnswerReader(options)
    if stream:
        blocks = _encode_stream(completion, reader, encoder)
        return stream_response(blocks, completion.stack, mimetype=encoder.media_type, to_error=encoder.error)
    with completion.stack:
        answer = FullAnswer()
        for pieces in _read_pieces(completion, reader):
            answer.add(pieces)
        totals = completion.totals(reader)
    return _full_response(encoder, encoder.full(answer, totals, time.time_ns()))


def send_empty(encoder: Encoder, *, stream: bool) -> Response:
    """Send an answer without content, for a request that only loads the model."""
    now_ns = time.time_ns()
    if not stream:
        return _full_response(encoder, encoder.full(FullAnswer(), Totals(), now_ns))
    return Response(encoder.start() + encoder.finish(Totals(), now_ns), content_type=encoder.media_type)


def count_prompt_tokens(completion: Completion) -> int:
    """Read an open completion to its end, close it, and return the number of its prompt tokens."""
    reader = AnswerReader(ReaderOptions())
    with completion.stack:
        for events in completion:
            reader.feed(events)
    if reader.usage is None:
        raise NotSupported("this backend does not report how many tokens a prompt has")
    return reader.usage.prompt_tokens


def _full_response(encoder: Encoder, body: dict[str, Any]) -> Response:
    if encoder.media_type == NDJSON:
        return Response(orjson.dumps(body), content_type=JSON_UTF8)
    # Ollama's /v1 routes answer without a charset and with a line end.
    return Response(orjson.dumps(body) + b"\n", content_type="application/json")


def _encode_stream(completion: Completion, reader: AnswerReader, encoder: Encoder) -> Iterator[bytes]:
    """Yield one block for each read from the backend."""
    start = encoder.start()
    for pieces in _read_pieces(completion, reader):
        if block := start + encoder.pieces(pieces, time.time_ns()):
            yield block
        start = b""
    yield encoder.finish(completion.totals(reader), time.time_ns())


def _read_pieces(completion: Completion, reader: AnswerReader) -> Iterator[list[Piece]]:
    record = current()
    record.count_tokens = lambda: reader.deltas
    completion.stack.callback(_record_counts, record, reader)
    for events in completion:
        yield reader.feed(events)
    last = reader.finish()
    if reader.nameless_calls:
        log.debug("dropped tool calls without a name: %d", reader.nameless_calls)
    yield last


def _record_counts(record: RequestRecord, reader: AnswerReader) -> None:
    if (usage := reader.usage) is None:  # the stream was cut, or the backend reports no usage
        record.counted(None, reader.deltas)
    else:
        record.counted(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)

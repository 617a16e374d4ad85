"""Answer a request with a completion in any protocol, as a stream or as one object."""

from __future__ import annotations

import logging
import secrets
import string
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from flask import Response

from flask_shim.error_responses import JSON_UTF8
from flask_shim.errors import ShimError
from flask_shim.inference.completion import Completion
from flask_shim.inference.streaming import stream_response
from flask_shim.inference.structured_answers import second_attempt
from flask_shim.lmstudio.errors import ClientDisconnected, NotSupported
from flask_shim.observability.request_context import RequestRecord, current
from flask_shim.translate.answer.answer_reader import AnswerReader, Piece, ReaderOptions
from flask_shim.translate.answer.encoder import NDJSON, Encoder, FullAnswer
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.ollama.payloads import Payload

log = logging.getLogger(__name__)

_ID_CHARACTERS = string.ascii_lowercase + string.digits


def new_call_id() -> str:
    """Return a random id for a tool call, in Ollama's form."""
    return "call_" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(8))


def send_completion(completion: Completion, encoder: Encoder, options: ReaderOptions, *, stream: bool) -> Response:
    """Send an open completion, which this function closes, or the response when it ends."""
    readers = [AnswerReader(options)]
    completion.stack.callback(_record_counts, current(), readers)
    if stream:
        blocks = _encode_stream(completion, readers[0], encoder)
        return stream_response(blocks, completion.stack, mimetype=encoder.media_type, to_error=encoder.error)
    with completion.stack:
        answer = _read_answer(completion, readers[0])
        finish_reason = "tool_calls" if answer.calls else readers[0].finish_reason
        if again := second_attempt(completion.payload, answer.text, finish_reason):
            answer = _repeat(completion, again, AnswerReader(options), readers) or answer
        totals = completion.totals(readers[-1])
    return _full_response(encoder, encoder.full(answer, totals, time.time_ns()))


def _read_answer(completion: Completion, reader: AnswerReader) -> FullAnswer:
    answer = FullAnswer()
    for pieces in _read_pieces(completion, reader):
        answer.add(pieces)
    return answer


def _repeat(
    completion: Completion, payload: Payload, reader: AnswerReader, readers: list[AnswerReader]
) -> FullAnswer | None:
    """Return the second answer, whether it matches its schema or not, and add its reader; None if it fails."""
    try:
        completion.repeat(payload)
        answer = _read_answer(completion, reader)
    except ClientDisconnected:
        raise
    except ShimError as exc:
        log.warning("the second attempt failed: %s", exc.safe_text)
        return None
    second_attempt(payload, answer.text, reader.finish_reason)  # for its line in the log
    readers.append(reader)
    return answer


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
    current().count_tokens = lambda: reader.deltas
    for events in completion:
        yield reader.feed(events)
    last = reader.finish()
    if reader.nameless_calls:
        log.debug("dropped tool calls without a name: %d", reader.nameless_calls)
    yield last


def _record_counts(record: RequestRecord, readers: Sequence[AnswerReader]) -> None:
    """Record the counts of the answer that was sent, the last one."""
    reader = readers[-1]
    if (usage := reader.usage) is None:  # the stream was cut, or the backend reports no usage
        record.counted(None, reader.deltas)
    else:
        record.counted(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)

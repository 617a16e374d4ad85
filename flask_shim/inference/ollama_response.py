"""An open completion as an Ollama answer: NDJSON while it is made, or one object when it is complete."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Iterator

import orjson
from flask import Response

from flask_shim.error_responses import json_response, ollama_error
from flask_shim.inference.completion import Completion
from flask_shim.inference.streaming import NDJSON, stream_response
from flask_shim.observability.request_context import RequestRecord, current
from flask_shim.translate.answer.answer_reader import AnswerReader, Piece, ReaderOptions
from flask_shim.translate.ollama.dates import to_utc
from flask_shim.translate.ollama.records import RecordEncoder, WholeAnswer

_ID_LETTERS = string.ascii_lowercase + string.digits

ToContext = Callable[[str], tuple[int, ...]]
"""Makes the ``context`` of the final record from the text of the answer."""


def _no_context(_: str) -> tuple[int, ...]:
    return ()


def new_call_id() -> str:
    """Return an id for a tool call, in Ollama's form."""
    return "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


def ollama_response(
    completion: Completion,
    records: RecordEncoder,
    reading: ReaderOptions,
    *,
    stream: bool,
    to_context: ToContext = _no_context,
) -> Response:
    """Answer with an open completion, which belongs to the response from this call on."""
    reader = AnswerReader(reading)
    if stream:
        return stream_response(
            _lines(completion, reader, records, to_context), completion.stack, mimetype=NDJSON, to_error=_error_line
        )
    with completion.stack:
        answer = read_whole(completion, reader)
        totals = completion.totals(reader, to_context(answer.text))
        return json_response(records.whole(answer, totals, to_utc(time.time_ns())))


def iter_pieces(completion: Completion, reader: AnswerReader) -> Iterator[list[Piece]]:
    """Yield the pieces of each read together, those that only the end settles last."""
    completion.stack.callback(_note_counts, current(), reader)
    for events in completion:
        yield reader.feed(events)
    yield reader.finish()


def read_whole(completion: Completion, reader: AnswerReader) -> WholeAnswer:
    """Read an open completion to its end; return all that was said."""
    answer = WholeAnswer()
    for pieces in iter_pieces(completion, reader):
        answer.add(pieces)
    return answer


def _note_counts(record: RequestRecord, reader: AnswerReader) -> None:
    usage = reader.usage
    if usage is None:  # cut before the end, or a backend that tells none
        record.counted(None, reader.deltas)
    else:
        record.counted(usage.prompt_tokens, usage.completion_tokens)


def _lines(
    completion: Completion, reader: AnswerReader, records: RecordEncoder, to_context: ToContext
) -> Iterator[bytes]:
    """Yield the lines of each read together, then the last line."""
    keep = to_context is not _no_context
    text: list[str] = []
    for pieces in iter_pieces(completion, reader):
        if keep:
            text.extend(piece.text for piece in pieces)
        if lines := records.lines(pieces, to_utc(time.time_ns())):
            yield lines
    yield records.last_line(completion.totals(reader, to_context("".join(text))), to_utc(time.time_ns()))


def _error_line(text: str) -> bytes:
    return orjson.dumps(ollama_error(text)) + b"\n"

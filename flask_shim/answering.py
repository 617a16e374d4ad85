"""An open completion as an Ollama answer: NDJSON while it is made, or one object when it is complete."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Iterator

import orjson
from flask import Response

from flask_shim.completions import Completion
from flask_shim.faces import json_response, ollama_error
from flask_shim.request_record import RequestRecord, current
from flask_shim.streams import NDJSON, streamed
from flask_shim.translate.dates import to_utc
from flask_shim.translate.records import Answer, Records
from flask_shim.translate.replies import AnswerReader, Piece, Reading

_ID_LETTERS = string.ascii_lowercase + string.digits

ToContext = Callable[[str], tuple[int, ...]]
"""Makes the ``context`` of the final record from the text of the answer."""


def _no_context(_: str) -> tuple[int, ...]:
    return ()


def new_call_id() -> str:
    """Return an id for a tool call, in Ollama's form."""
    return "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


def answered(
    completion: Completion,
    records: Records,
    reading: Reading,
    *,
    stream: bool,
    to_context: ToContext = _no_context,
) -> Response:
    """Answer with an open completion, which belongs to the response from this call on."""
    reader = AnswerReader(reading)
    if stream:
        return streamed(
            _lines(completion, reader, records, to_context), completion.owned, mimetype=NDJSON, to_error=_error_line
        )
    with completion.owned:
        answer = whole_of(completion, reader)
        totals = completion.totals(reader, to_context(answer.text))
        return json_response(records.whole(answer, totals, to_utc(time.time_ns())))


def pieces_of(completion: Completion, reader: AnswerReader) -> Iterator[list[Piece]]:
    """Yield the pieces of each read together, those that only the end settles last."""
    completion.owned.callback(_note_counts, current(), reader)
    for events in completion:
        yield reader.feed(events)
    yield reader.finish()


def whole_of(completion: Completion, reader: AnswerReader) -> Answer:
    """Read an open completion to its end; return all that was said."""
    answer = Answer()
    for pieces in pieces_of(completion, reader):
        answer.add(pieces)
    return answer


def _note_counts(record: RequestRecord, reader: AnswerReader) -> None:
    usage = reader.usage
    if usage is None:  # cut before the end, or a backend that tells none
        record.counted(None, reader.deltas)
    else:
        record.counted(usage.prompt_tokens, usage.completion_tokens)


def _lines(completion: Completion, reader: AnswerReader, records: Records, to_context: ToContext) -> Iterator[bytes]:
    """Yield the lines of each read together, then the last line."""
    keep = to_context is not _no_context
    text: list[str] = []
    for pieces in pieces_of(completion, reader):
        if keep:
            text.extend(piece.text for piece in pieces)
        if lines := records.lines(pieces, to_utc(time.time_ns())):
            yield lines
    yield records.last_line(completion.totals(reader, to_context("".join(text))), to_utc(time.time_ns()))


def _error_line(text: str) -> bytes:
    return orjson.dumps(ollama_error(text)) + b"\n"

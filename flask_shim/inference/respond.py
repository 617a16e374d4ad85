"""Answer a request with a completion in any protocol, as a stream or as one object."""

from __future__ import annotations

import logging
import secrets
import string
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import orjson
from flask import Response

from flask_shim.error_responses import JSON_UTF8
from flask_shim.errors import ShimError
from flask_shim.inference.completion import Completion
from flask_shim.inference.streaming import ReadyResponse, StreamedAnswer, stream_response
from flask_shim.inference.structured_answers import result_or_none, second_attempt
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.observability.request_context import current
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
    """Open a completion and answer with it."""
    reader = AnswerReader(options)
    if stream:
        shows_thinking = options.mode == "separate"
        return stream_response(TranslatedAnswer(completion, reader, encoder, shows_thinking=shows_thinking))
    completion.joins_texts = True
    with closing(completion.open()):
        try:
            answer = _read_answer(completion, reader)
            totals = completion.totals(reader)
            finish_reason = "tool_calls" if answer.calls else reader.finish_reason
            if again := second_attempt(completion.payload, answer.text, finish_reason):
                second = AnswerReader(options)
                if (repeated := result_or_none(partial(_repeat, completion, again, second))) is not None:
                    answer, reader, totals = repeated, second, completion.totals(second)
        finally:
            completion.record_counts(reader)
    return _full_response(encoder, encoder.full(answer, totals, time.time_ns()))


def _read_answer(completion: Completion, reader: AnswerReader) -> FullAnswer:
    answer = FullAnswer()
    for pieces in _read_pieces(completion, reader):
        answer.add(pieces)
    return answer


def _repeat(completion: Completion, payload: Payload, reader: AnswerReader) -> FullAnswer:
    """Return the second answer, whether it matches its schema or not."""
    completion.repeat(payload)
    answer = _read_answer(completion, reader)
    second_attempt(payload, answer.text, reader.finish_reason)  # for its line in the log
    return answer


def send_empty(encoder: Encoder, *, stream: bool) -> Response:
    """Send an answer without content, for a request that only loads the model."""
    now_ns = time.time_ns()
    if not stream:
        return _full_response(encoder, encoder.full(FullAnswer(), Totals(), now_ns))
    return Response(encoder.start() + encoder.finish(Totals(), now_ns), content_type=encoder.media_type)


def count_prompt_tokens(completion: Completion) -> int:
    """Open a completion, read it to its end, close it, and return the number of its prompt tokens."""
    reader = AnswerReader(ReaderOptions())
    with closing(completion.open()):
        for events in completion:
            reader.feed(events)
    if reader.usage is None:
        raise NotSupported("this backend does not report how many tokens a prompt has")
    return reader.usage.prompt_tokens


def _full_response(encoder: Encoder, body: dict[str, Any]) -> Response:
    if encoder.media_type == NDJSON:
        return ReadyResponse(orjson.dumps(body), content_type=JSON_UTF8)
    # Ollama's /v1 routes answer without a charset and with a line end.
    return ReadyResponse(orjson.dumps(body) + b"\n", content_type="application/json")


class TranslatedAnswer(StreamedAnswer):
    """A completion, encoded in the protocol of the client."""

    def __init__(self, completion: Completion, reader: AnswerReader, encoder: Encoder, *, shows_thinking: bool) -> None:
        """Take over ``completion``, which is not open yet."""
        self._shows_thinking = shows_thinking
        self.media_type = encoder.media_type
        self._completion = completion
        self._reader = reader
        self._encoder = encoder
        self._start = encoder.start()

    def blocks(self, ticks: Ticks) -> Iterator[bytes]:
        """Yield one block for each read from the backend."""
        completion, reader, encoder = self._completion, self._reader, self._encoder
        completion.open(ticks)
        for pieces in _read_pieces(completion, reader):
            block = encoder.pieces(pieces, time.time_ns())
            yield self._take_start() + block if self._start else block
        yield encoder.finish(completion.totals(reader), time.time_ns())

    def heartbeat(self) -> bytes:
        """Return the encoder's, after the start."""
        return self._take_start() + self._encoder.heartbeat(time.time_ns())

    def progress(self, text: str) -> bytes:
        """Return the encoder's thinking."""
        block = self._encoder.pieces([Piece(thinking=text)], time.time_ns()) if self._shows_thinking else b""
        return self._take_start() + block if block else self.heartbeat()

    def error(self, error: ShimError) -> bytes:
        """Return the encoder's."""
        return self._encoder.error(error)

    def close(self) -> None:
        """Record the counts and close the completion."""
        self._completion.record_counts(self._reader)
        self._completion.close()

    def _take_start(self) -> bytes:
        start, self._start = self._start, b""
        return start


def _read_pieces(completion: Completion, reader: AnswerReader) -> Iterator[list[Piece]]:
    current().count_tokens = lambda: reader.deltas
    for events in completion:
        yield reader.feed(events)
    last = reader.finish()
    if reader.nameless_calls:
        log.debug("dropped tool calls without a name: %d", reader.nameless_calls)
    yield last

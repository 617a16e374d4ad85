"""Run one completion, from its slot to the end of its connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.inference.structured_answers import to_engine_payload
from flask_shim.lmstudio.completion_events import Event, Usage
from flask_shim.lmstudio.errors import ContextOverflow
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.lmstudio.http.response import EventStream
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.manager import ModelManager
from flask_shim.models.model_use import ModelUse
from flask_shim.observability.request_context import current
from flask_shim.translate.answer.answer_reader import AnswerReader
from flask_shim.translate.answer.usage import Totals, estimate_prompt_tokens, to_totals
from flask_shim.translate.ollama.payloads import Payload


class Completion:
    """A completion; once it is open, ``stack`` owns its use of the model and its connection, and it yields events."""

    def __init__(
        self,
        manager: ModelManager,
        requirements: ModelRequirements,
        path: str,
        payload: Payload,
        is_disconnected: Callable[[], bool],
        started_ns: int,
    ) -> None:
        """Send nothing yet. ``payload`` needs no model name.

        ``started_ns`` is when the request arrived, on the :func:`time.perf_counter_ns` clock.
        """
        self.stack = ExitStack()
        self.payload = payload
        self._path = path
        self._manager = manager
        self._requirements = requirements
        self._is_disconnected = is_disconnected
        self._started_ns = self._ready_ns = self._first_ns = started_ns
        self._stream: EventStream
        self._use: ModelUse

    def open(self, ticks: Ticks | None = None) -> None:
        """Send the payload and wait for output; a failure leaves nothing open.

        Raises ContextOverflow for an answer without output if the prompt does not fit in the context.
        """
        with ExitStack() as cleanup:
            cleanup.callback(self.close)
            self._use = self.stack.enter_context(
                self._manager.use(self._requirements, self._is_disconnected, self.payload, ticks)
            )
            self._send(self.payload)
            self._first_ns = time.perf_counter_ns()
            current().first_token()
            if self._use.is_cold:
                self._ready_ns = self._stream.head_ns
            cleanup.pop_all()

    def repeat(self, payload: Payload) -> None:
        """Send another payload after the answer to the first was read; a failure leaves the completion open."""
        self._stream.close()
        self._send(payload)

    def _send(self, payload: Payload) -> None:
        if "tools" in payload or "response_format" in payload:
            payload = to_engine_payload(payload)
        self._stream = self._use.send(self._open_stream, payload)
        self.stack.callback(self._stream.close)

    def _open_stream(self, payload: Payload) -> EventStream:
        self._ready_ns = time.perf_counter_ns()
        stream = self._use.client.open_completion(self._path, payload, self._use.call)
        if not stream.has_output:
            try:
                check_prompt_fits(self._use, payload, stream.usage)
            except ShimError:
                stream.close()
                raise
        return stream

    def __iter__(self) -> Iterator[list[Event]]:
        """Yield the events as they arrive, in lists; the list of a tick is empty."""
        return iter(self._stream)

    def close(self) -> None:
        """Release everything; safe to call twice."""
        self.stack.close()

    def totals(self, reader: AnswerReader) -> Totals:
        """Return the counts and durations of an answer that ends now."""
        return to_totals(
            finish_reason=reader.finish_reason,
            usage=reader.usage,
            timings=reader.timings,
            deltas=reader.deltas,
            timestamps=(self._started_ns, self._ready_ns, self._first_ns, time.perf_counter_ns()),
        )


def check_prompt_fits(use: ModelUse, payload: Mapping[str, Any], usage: Usage | None) -> None:
    """Raise ContextOverflow for an empty answer to a prompt that does not fit in the context.

    LM Studio answers some of these prompts with status 200 and no text. Without its count, an estimate decides.
    """
    context = use.loaded_context()
    tokens = (usage.prompt_tokens if usage else 0) or estimate_prompt_tokens(payload)
    if context and tokens >= context:
        raise ContextOverflow("the prompt is longer than the context", tokens, context)

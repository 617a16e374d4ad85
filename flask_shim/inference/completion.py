"""Run one completion, from its slot to the end of its connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.inference.structured_answers import to_engine_payload
from flask_shim.lmstudio.completion_events import Event, Usage
from flask_shim.lmstudio.errors import ContextOverflow
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.lmstudio.http.response import EventStream
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.model_use import ModelUse
from flask_shim.observability.request_context import RequestRecord, current
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import AnswerReader
from flask_shim.translate.answer.usage import Totals, estimate_prompt_tokens, is_cut, to_totals
from flask_shim.translate.ollama.payloads import Payload

log = logging.getLogger(__name__)


class Completion:
    """A completion; once it is open, it owns its use of the model and its connection, and yields events."""

    def __init__(self, path: str, payload: Payload, requirements: ModelRequirements) -> None:
        """Send nothing yet. ``payload`` needs no model name."""
        self.joins_texts = False
        """Whether the text of tokens that arrive together is one event: only streams need it apart."""
        self.payload = payload
        self._path = path
        self._manager = services().manager
        self._requirements = requirements
        self._stream: EventStream | None = None
        self._use: ModelUse | None = None
        self._record = current()
        self._ready_ns = self._sent_ns = self._first_ns = self._record.started_ns

    def open(self, ticks: Ticks | None = None) -> Completion:
        """Send the payload, wait for output, and return itself, to close at the end; a failure leaves nothing open.

        Raises ContextOverflow for an answer without output if the prompt does not fit in the context.
        """
        use = self._manager.use(self._requirements, self.payload, ticks)
        try:
            stream = self._send(use, self.payload)
        except BaseException:
            use.close()
            raise
        self._use = use
        self._record.begin_output()
        if use.is_cold:
            self._sent_ns = stream.head_ns
        self._ready_ns = self._sent_ns
        return self

    def repeat(self, payload: Payload) -> None:
        """Send another payload after the answer to the first was read; a failure leaves the completion open."""
        if self._use is None or self._stream is None:
            raise RuntimeError("the completion is not open")
        self._stream.close()
        self._send(self._use, payload)

    def _send(self, use: ModelUse, payload: Payload) -> EventStream:
        def open_stream(payload: Payload) -> EventStream:
            self._sent_ns = time.perf_counter_ns()
            stream = use.client.open_completion(self._path, payload, use.call, joins_texts=self.joins_texts)
            if not stream.has_output:
                try:
                    check_prompt_fits(use, payload, stream.usage)
                except ShimError:
                    stream.close()
                    raise
            return stream

        if "tools" in payload or "response_format" in payload:
            payload = to_engine_payload(payload)
        self._stream = use.send(open_stream, payload)
        self._first_ns = time.perf_counter_ns()
        return self._stream

    def __iter__(self) -> Iterator[list[Event]]:
        """Yield the events as they arrive, in lists; the list of a tick is empty."""
        return iter(self._stream or ())

    def close(self) -> None:
        """Release everything; safe to call twice."""
        use, self._use = self._use, None
        if use is None:
            return
        try:
            if self._stream is not None:
                self._stream.close()
            warn_if_cut(use, self._record)
        finally:
            use.close()

    def record_counts(self, reader: AnswerReader) -> None:
        """Record the counts of the answer that was sent, unless the completion is not open."""
        if self._use is None:
            return
        if (usage := reader.usage) is None:  # the stream was cut, or the backend reports no usage
            self._record.set_usage(None, reader.deltas)
        else:
            self._record.set_usage(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)

    def totals(self, reader: AnswerReader) -> Totals:
        """Return the counts and durations of an answer that ends now."""
        ended_ns = time.perf_counter_ns()
        return to_totals(
            finish_reason=reader.finish_reason,
            usage=reader.usage,
            timings=reader.timings,
            deltas=reader.deltas,
            timestamps=(self._record.started_ns, self._ready_ns, self._sent_ns, self._first_ns, ended_ns),
        )


def check_prompt_fits(use: ModelUse, payload: Mapping[str, Any], usage: Usage | None) -> None:
    """Raise ContextOverflow for an empty answer to a prompt that does not fit in the context.

    LM Studio answers some of these prompts with status 200 and no text. Without its count, an estimate decides.
    """
    context = use.current_model().loaded_context_length
    tokens = (usage.prompt_tokens if usage else 0) or estimate_prompt_tokens(payload)
    if context and tokens >= context:
        raise ContextOverflow("the prompt is longer than the context", tokens, context)


def warn_if_cut(use: ModelUse, record: RequestRecord) -> None:
    """Warn if LM Studio has left out the middle of a prompt, its default for one that does not fit."""
    prompt_tokens = record.tokens_in
    if not prompt_tokens or record.estimate_tokens is None or prompt_tokens >= (estimate := record.estimate_tokens()):
        return
    context = None
    with suppress(ShimError):  # the answer is complete, whatever has happened to LM Studio since
        context = use.current_model().loaded_context_length
    if context and is_cut(prompt_tokens, estimate, context):
        log.warning(
            "model=%s read %d tokens of about %d: the prompt is longer than the context of %d, and LM Studio seems to "
            "have left out its middle. Load the model with more context, or set SHIM_AUTO_CONTEXT=1",
            *(use.target.model.key, prompt_tokens, estimate, context),
        )

"""One completion at the backend, from the slot it takes to the connection it closes, with one owner for all of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from flask_shim.errors import BackendRequestError, ModelLoadError, NoModelLoaded
from flask_shim.inference.model_use import ModelRequirements, load_after, use_model
from flask_shim.lmstudio.completion_events import Event
from flask_shim.lmstudio.http.event_stream import EventStream
from flask_shim.observability.request_context import current
from flask_shim.services import Services
from flask_shim.translate.answer.answer_reader import AnswerReader
from flask_shim.translate.answer.usage import Totals, to_totals

log = logging.getLogger(__name__)


class Completion:
    """An open completion. ``owned`` holds the slot, the watchdog's entry, the model's stay and the connection."""

    def __init__(
        self, services: Services, requirements: ModelRequirements, is_disconnected: Callable[[], bool], started_ns: int
    ) -> None:
        """Hold nothing yet. ``started_ns`` is when the request came, on the :func:`time.perf_counter_ns` clock."""
        self.stack = ExitStack()
        self._services = services
        self._need = requirements
        self._call = services.call(is_disconnected)
        self._started_ns = self._ready_ns = self._first_ns = started_ns
        self._stream: EventStream

    def open(self, path: str, payload: dict[str, Any]) -> Completion:
        """Take what is needed, load the model if need be, and wait for the first events; on failure hold nothing."""
        backend = self._services.backend
        current().uses(self._need.target.model.key)
        with ExitStack() as cleanup:
            cleanup.callback(self.close)
            self.stack.callback(self._services.slots.take().release)
            self.stack.enter_context(backend.watchdog.watch(self._call))
            with use_model(self._services, self._need, self._call, self.stack) as is_cold:
                self._ready_ns = time.perf_counter_ns()
                self._stream = self._ask(path, payload)
                self.stack.callback(self._stream.close)
            self._first_ns = time.perf_counter_ns()
            current().first_token()
            if is_cold:
                self._ready_ns = self._stream.head_ns
            cleanup.pop_all()
        return self

    def __iter__(self) -> Iterator[list[Event]]:
        """Yield the events as they come, in lists."""
        return iter(self._stream)

    def close(self) -> None:
        """Give everything back; safe to call twice."""
        self.stack.close()

    def totals(self, reader: AnswerReader, context: tuple[int, ...] = ()) -> Totals:
        """Return the counts and durations of an answer that ends now."""
        usage = reader.usage
        return to_totals(
            finish_reason=reader.finish_reason,
            usage=(usage.prompt_tokens, usage.completion_tokens) if usage else None,
            timings=reader.timings,
            deltas=reader.deltas,
            timestamps=(self._started_ns, self._ready_ns, self._first_ns, time.perf_counter_ns()),
            context=context,
        )

    def _ask(self, path: str, payload: dict[str, Any]) -> EventStream:
        """Open the stream; cure what a second attempt can cure, once."""
        backend = self._services.backend
        try:
            return backend.open_completion(path, payload, self._call)
        except NoModelLoaded as exc:
            load_after(exc, self._services, self._need, self._call)
        except BackendRequestError as exc:
            if "reasoning_effort" not in payload or "reason" not in exc.text.lower():
                raise
            payload = {key: value for key, value in payload.items() if key != "reasoning_effort"}
            log.debug("left out reasoning_effort: %s", exc.text)
        except ModelLoadError as exc:
            if "unloaded" not in exc.text:  # evicted before it said a word
                raise
        return backend.open_completion(path, payload, self._call)

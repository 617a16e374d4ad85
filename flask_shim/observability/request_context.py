"""The record of the request that this thread handles: for log lines, the access log and the metrics."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flask_shim.errors import RequestCanceled, ShimError
from flask_shim.lmstudio.errors import BackendError, ClientDisconnected

if TYPE_CHECKING:
    from flask_shim.observability.inspector import Exchange

DONE = "done"
CLIENT_DISCONNECTED = "client_disconnected"
REJECTED = "rejected"
ABORTED = "aborted"
CANCELED = "canceled"

Phase = Literal["answering", "queued", "waking a machine", "loading", "reading the prompt", "generating", "sending"]
"""What happens to a request now; ``answering`` is one that generates nothing."""

_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def not_disconnected() -> bool:
    """Return False: the server does not say whether a client has disconnected."""
    return False


@dataclass(slots=True, eq=False, kw_only=True)
class RequestRecord:
    """One request, filled in while it is answered; ``None`` means unknown. Times are of :func:`time.perf_counter_ns`.

    ``model`` is a key in the backend's list, never the name that the client wrote.
    """

    id: str = "-"
    method: str = ""
    path: str = ""
    client: str = ""
    user_agent: str = ""
    route: str = ""
    status: int = 0
    model: str = ""
    backend: str = ""
    """The name of the LM Studio that answers, if there are several."""
    started_ns: int = field(default_factory=time.perf_counter_ns)
    first_token_ns: int | None = None
    ended_ns: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cached_tokens: int | None = None
    """How many of ``tokens_in`` the backend had in its prompt cache; 0 if it says that it reused nothing."""
    options: tuple[str, ...] = ()
    """The names of the options that the client sent."""
    dropped: tuple[str, ...] = ()
    """The names of what the client sent and LM Studio does not receive."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a field was changed or left out, where that depends on settings or on the model."""
    exchange: Exchange | None = None
    """Both sides of it, while the inspector is switched on."""
    hides_thinking: bool = False
    """Whether the answer has no thinking because of a rule."""
    answer_headers: Sequence[tuple[str, str]] = ()  # those of CORS, in addition to the route's
    has_access: bool = True  # it sent a key, if one is configured
    rejected_by: str = ""  # the check that rejected it: host, origin, key or size
    error_kind: str = ""
    """The kind of the error that ended it, from :func:`kind_of`."""
    backend_error: str = ""
    """The kind of backend failure that ended it."""
    error: str = ""
    """The error text that the client received."""
    error_safe_text: str = ""
    """The same without quotations of LM Studio, a model or the client."""
    phase: Phase = "answering"
    queue_seconds: float | None = None
    """How long it has waited for a slot so far; None if it did not have to."""
    sent_ns: int | None = None
    """When the prompt was sent to a model that was loaded."""
    phase_ns: int | None = None
    """When the load, or the reading of the prompt, began."""
    load_seconds: float | None = None
    """How long the model was loaded; if LM Studio did that just in time, the prompt is included."""
    estimate_tokens: Callable[[], int] | None = field(default=None, repr=False)
    """Returns about how many tokens the prompt has."""
    count_tokens: Callable[[], int] | None = field(default=None, repr=False)
    """Returns how many tokens have been generated so far; ``tokens_out`` has the number at the end."""
    abort: Callable[[ShimError], None] | None = field(default=None, repr=False)
    """Aborts the request to the backend; the thread that waits for it raises the error."""
    is_disconnected: Callable[[], bool] = field(default=not_disconnected, repr=False)
    """Returns whether its client has disconnected; called from any thread."""
    is_streamed: bool = False
    is_complete: bool = False
    """Whether the last block of a streamed answer was made."""
    _ending: str = field(default="", init=False)

    def set_model(self, model: str) -> None:
        """Note the backend's key of the model that answers."""
        self.model, self.phase = model, "queued"

    def begin_load(self) -> None:
        """Note that the backend loads the model for this request."""
        self.phase, self.phase_ns = "loading", time.perf_counter_ns()

    def begin_prompt(self) -> None:
        """Note that the prompt is sent to a model that is loaded."""
        self._end_load()
        self.phase = "reading the prompt"
        self.sent_ns = self.phase_ns = time.perf_counter_ns()

    def begin_output(self) -> None:
        """Note that the answer begins now; later calls have no effect."""
        if self.first_token_ns is None:
            self.first_token_ns = time.perf_counter_ns()
            self._end_load()
            if self.model:
                self.phase = "generating"

    def _end_load(self) -> None:
        if self.phase == "loading" and self.phase_ns is not None:
            self.load_seconds = _seconds(self.phase_ns, None)

    def set_usage(self, tokens_in: int | None, tokens_out: int | None, cached_tokens: int | None = None) -> None:
        """Note the number of prompt tokens, of generated tokens, and of the prompt tokens from the cache."""
        self.tokens_in, self.tokens_out, self.cached_tokens = tokens_in, tokens_out, cached_tokens
        self.phase = "sending"

    def drop(self, name: str, reason: str) -> None:
        """Note that LM Studio does not receive something that the client sent, and why."""
        self.dropped += (name,)
        self.reasons[name] = reason

    def fail(self, exc: Exception) -> None:
        """Note the error that ended it, before or after the status was sent."""
        self.error = exc.text if isinstance(exc, ShimError) else "internal error"
        self.error_safe_text = exc.safe_text if isinstance(exc, ShimError) else self.error
        self.error_kind = kind_of(exc)
        self.backend_error = self.error_kind if isinstance(exc, BackendError) else ""
        ending = _ending_of(exc)
        self._ending = ABORTED if ending == REJECTED and self.is_streamed else ending

    def cancel(self) -> bool:
        """Stop the request as if its client had disconnected; return whether there was something to stop."""
        if self.abort is None:
            return False
        self.abort(RequestCanceled())
        return True

    def end(self) -> None:
        """Note the end, and release what belongs to the request."""
        self.ended_ns = time.perf_counter_ns()
        if not self.is_complete:
            self.tokens_out = self.generated_tokens
        self.abort = self.count_tokens = self.estimate_tokens = None
        self.is_disconnected = not_disconnected

    @property
    def outcome(self) -> str:
        """How it ended: ``done``, ``client_disconnected``, ``canceled``, ``rejected``, ``error:<kind>`` or ``error``.

        ``aborted`` is a streamed answer that was still running when the shim stopped, or got no slot after heartbeats.
        """
        if self._ending:
            return self._ending
        if self.is_streamed and not self.is_complete:
            return CLIENT_DISCONNECTED
        if self.status >= 400:
            return REJECTED if self.status < 500 else "error"
        return DONE

    @property
    def seconds(self) -> float:
        """Its duration so far, or until its end."""
        return _seconds(self.started_ns, self.ended_ns)

    @property
    def first_token_seconds(self) -> float | None:
        """The time until the answer began."""
        return None if self.first_token_ns is None else _seconds(self.started_ns, self.first_token_ns)

    @property
    def tokens_per_second(self) -> float | None:
        """The speed of the answer from its first token to its end."""
        tokens = self.generated_tokens
        if not tokens or self.first_token_ns is None:
            return None
        return tokens / max(1e-6, _seconds(self.first_token_ns, self.ended_ns))

    @property
    def generated_tokens(self) -> int | None:
        """The number of tokens generated so far, or in all."""
        return self.tokens_out if self.count_tokens is None or self.tokens_out is not None else self.count_tokens()

    @property
    def prefill_tokens_per_second(self) -> float | None:
        """The speed at which the uncached part of the prompt was read, None if the model had to be loaded first."""
        if not self.tokens_in or self.sent_ns is None or self.first_token_ns is None:
            return None
        evaluated = self.tokens_in - (self.cached_tokens or 0)
        return evaluated / max(1e-6, _seconds(self.sent_ns, self.first_token_ns))


def _seconds(start_ns: int, end_ns: int | None) -> float:
    return ((time.perf_counter_ns() if end_ns is None else end_ns) - start_ns) / 1e9


def kind_of(exc: Exception) -> str:
    """Return the kind of an error as a word: ``backend_timeout``, ``model_load_error``, ``internal`` for a bug."""
    return _CAPITAL.sub("_", type(exc).__name__).lower() if isinstance(exc, ShimError) else "internal"


def _ending_of(exc: Exception) -> str:
    if isinstance(exc, ClientDisconnected):
        return CLIENT_DISCONNECTED
    if isinstance(exc, RequestCanceled):
        return CANCELED
    if isinstance(exc, BackendError) or not isinstance(exc, ShimError) or type(exc) is ShimError:
        return f"error:{kind_of(exc)}"
    return REJECTED


def new_id(wanted: str = "") -> str:
    """Return the id that the client wants if it is valid, else a new one."""
    return wanted if _SOUND_ID.fullmatch(wanted) else f"{random.getrandbits(48):012x}"


_CURRENT: ContextVar[RequestRecord | None] = ContextVar("flask_shim_request", default=None)


def current() -> RequestRecord:
    """Return the record of this thread's request; outside of a request, a record that is discarded."""
    return _CURRENT.get() or RequestRecord()


def current_id() -> str:
    """Return the id of this thread's request, ``-`` outside of one."""
    record = _CURRENT.get()
    return "-" if record is None else record.id


def enter(record: RequestRecord | None) -> None:
    """Make ``record`` this thread's; None after the request."""
    _CURRENT.set(record)

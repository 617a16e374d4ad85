"""The exception tree: every failure that can leave a layer of the shim.

    ShimError
    ├── BadRequest              400  the client sent what cannot be read or done
    ├── ModelNotFound           404  no model of that name; nothing was sent to the backend
    ├── Forbidden               403  host or origin not allowed, or the action is switched off
    ├── Unauthorized            401  a key is required
    ├── BodyTooLarge            413
    ├── ClientGone              499  the client hung up; nobody reads the answer
    ├── NotSupported            501  the backend (or Ollama's idea) has no such thing
    │   └── NoSuchEndpoint           the backend's version lacks the route that would be needed
    ├── Busy                    503  no free slot, or the shim is draining
    └── BackendError            502  LM Studio's side failed
        ├── BackendUnavailable  503  no connection was made, so nothing ran
        ├── BackendTimeout      504  it kept silent for longer than a timeout
        ├── BackendBroke        502  its answer was cut, garbled or not what was asked for
        ├── BackendRefused      400… it answered with an error of its own
        │   ├── ContextOverflow      the prompt is longer than the model's context
        │   ├── NoModelLoaded        nothing is loaded: cured by loading the model and asking again
        │   └── UnsupportedReasoningEffort   cured by asking again without it
        └── ModelLoadError      500  the model crashed or could not be loaded
            └── ModelEvicted         another load displaced it: cured by asking again

How an error looks over HTTP is decided in :mod:`flask_shim.error_responses`; this module knows no web framework,
so that :mod:`flask_shim.lmstudio` can be used without one.
"""

from __future__ import annotations

from collections.abc import Iterator


class ShimError(Exception):
    """A failure with a text for the client and the HTTP status it deserves."""

    status = 500
    param: str | None = None
    """The part of the request that is at fault, if LM Studio named it."""
    code: str | None = None
    """LM Studio's code for the error."""

    def __init__(
        self, text: str, *, status: int | None = None, retry_after: int | None = None, log_text: str = ""
    ) -> None:
        """Keep ``text`` for the client; ``retry_after`` is in seconds.

        ``own_words`` is the text for a log, needed where ``text`` quotes LM Studio, a model or a client.
        """
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after
        self.log_text = log_text
        if status is not None:
            self.status = status

    @property
    def safe_text(self) -> str:
        """The text without the words of others, which may hold a prompt; also where it repeats what caused it."""
        if self.log_text:
            return self.log_text
        told = self.text
        for cause in _causes(self):
            if cause.text and cause.log_text:
                told = told.replace(cause.text, cause.log_text)
        return told


def _causes(exc: BaseException) -> Iterator[ShimError]:
    """Yield the failures of ours that led to this one, the latest first."""
    seen = {id(exc)}  # an exception that is raised from itself is its own cause
    cause = exc.__cause__ or exc.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ShimError):
            yield cause
        cause = cause.__cause__ or cause.__context__


class BadRequest(ShimError):
    """The client sent what cannot be read or done."""

    status = 400


class ModelNotFound(ShimError):
    """No model answers to that name; nothing was sent to the backend."""

    status = 404


class Forbidden(ShimError):
    """Host or origin are not allowed, or the action is switched off."""

    status = 403


class Unauthorized(ShimError):
    """A key is required and none, or a wrong one, was given."""

    status = 401


class BodyTooLarge(ShimError):
    """The request body is larger than the configured limit."""

    status = 413


class ClientDisconnected(ShimError):
    """The client hung up, so nobody will read the answer."""

    status = 499

    def __init__(self, text: str = "request canceled") -> None:
        """Use Ollama's words unless the caller knows better ones."""
        super().__init__(text)


class NotSupported(ShimError):
    """What was asked for does not exist on this backend, or nowhere in LM Studio."""

    status = 501


class NoSuchEndpoint(NotSupported):
    """The backend's version lacks the route that would be needed."""


class ServerBusy(ShimError):
    """No free slot, or the shim is draining; the same request may succeed later."""

    status = 503


class BackendError(ShimError):
    """Something on LM Studio's side failed."""

    status = 502


class BackendUnavailable(BackendError):
    """No connection was made, so nothing ran; safe to try again. ``why`` is the cause in two or three words."""

    status = 503

    def __init__(self, text: str, *, why: str = "connection failed") -> None:
        """Keep the text and the cause."""
        super().__init__(text)
        self.why = why


class BackendTimeout(BackendError):
    """LM Studio kept silent for longer than the timeout of that phase."""

    status = 504


class BackendProtocolError(BackendError):
    """The answer was cut, garbled, or not what was asked for."""


class BackendRequestError(BackendError):
    """LM Studio answered with an error of its own; ``text`` is what it said."""

    status = 400


class NoModelLoaded(BackendRequestError):
    """Nothing is loaded and the backend does not load on demand: cured by loading the model and asking again."""


class UnsupportedReasoningEffort(BackendRequestError):
    """The model or the backend's version rejects ``reasoning_effort``: cured by asking again without it."""


class ContextOverflow(BackendRequestError):
    """The prompt is longer than the model's context; the two numbers are None if LM Studio does not state them."""

    def __init__(self, text: str, prompt_tokens: int | None = None, context_length: int | None = None) -> None:
        """Keep LM Studio's text and numbers."""
        super().__init__(text)
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class ModelLoadError(BackendError):
    """The model crashed, was unloaded under us, or could not be loaded."""

    status = 500


class ModelEvicted(ModelLoadError):
    """The model was unloaded while a request used it: cured by asking again, unless output was already sent."""

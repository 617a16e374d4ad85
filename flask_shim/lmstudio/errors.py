"""The exceptions of the LM Studio client.

    LMStudioError
    ├── InvalidModelName        400  no model can have that name
    ├── ModelNotFound           404  LM Studio lists no model of that name
    ├── ClientDisconnected      499  the call was cancelled
    ├── NotSupported            501  this LM Studio cannot do it
    │   └── NoSuchEndpoint           its version lacks the route
    ├── ServerBusy              503  no free slot or connection
    └── BackendError            502  LM Studio failed
        ├── BackendUnavailable  503  no connection was made, so nothing ran
        ├── BackendTimeout      504  it was silent for longer than a timeout
        ├── BackendProtocolError     its answer was cut, malformed or not what was requested
        ├── BackendRequestError 400  it rejected the request
        │   ├── ContextOverflow      the prompt is longer than the model's context
        │   ├── NoModelLoaded        load the model and repeat the request
        │   └── UnsupportedReasoningEffort   repeat the request without it
        └── ModelLoadError      500  the model crashed or could not be loaded
            └── ModelEvicted         another load displaced it: repeat the request

``status`` is the HTTP status with which a server may pass the error on.
"""

from __future__ import annotations

from flask_shim.errors import ShimError


class LMStudioError(ShimError):
    """The base of everything that the client raises."""


class InvalidModelName(LMStudioError):
    """The name cannot be passed to LM Studio, such as one that looks like an option of the lms tool."""

    status = 400


class ModelNotFound(LMStudioError):
    """No model answers to that name; nothing was sent to the backend."""

    status = 404


class ClientDisconnected(LMStudioError):
    """The client hung up, so nobody will read the answer."""

    status = 499

    def __init__(self, text: str = "request canceled") -> None:
        """Use Ollama's words unless the caller knows better ones."""
        super().__init__(text)


class NotSupported(LMStudioError):
    """What was asked for does not exist on this backend, or nowhere in LM Studio."""

    status = 501


class NoSuchEndpoint(NotSupported):
    """The backend's version lacks the route that would be needed."""


class ServerBusy(LMStudioError):
    """No free slot, or the shim is draining; the same request may succeed later."""

    status = 503


class BackendError(LMStudioError):
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

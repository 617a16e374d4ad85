"""The exceptions of the LM Studio client.

    LMStudioError
    ├── InvalidModelName        400  no model can have that name
    ├── ModelNotFound           404  LM Studio lists no model of that name
    ├── ClientDisconnected      499  the call was canceled
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
            └── ModelEvicted    503  another load displaced it: repeat the request

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
    """LM Studio lists no model of that name; no request was sent."""

    status = 404


class ClientDisconnected(LMStudioError):
    """The client disconnected, so the request was canceled."""

    status = 499

    def __init__(self, text: str = "request canceled") -> None:
        """Use Ollama's text by default."""
        super().__init__(text)


class NotSupported(LMStudioError):
    """This LM Studio, or every LM Studio, lacks the feature."""

    status = 501


class NoSuchEndpoint(NotSupported):
    """The version of LM Studio lacks the route; see also :func:`lacks_route`."""


class ServerBusy(LMStudioError):
    """No slot or connection is free, or the server is draining; repeat the request later."""

    status = 503


class BackendError(LMStudioError):
    """LM Studio failed."""

    status = 502


class BackendUnavailable(BackendError):
    """No connection was made, so the request can be repeated. ``why`` is the cause in two or three words."""

    status = 503

    def __init__(self, text: str, *, why: str = "connection failed") -> None:
        super().__init__(text)
        self.why = why


class BackendTimeout(BackendError):
    """LM Studio was silent for longer than a timeout."""

    status = 504


class BackendProtocolError(BackendError):
    """The answer was cut, malformed, or not what was requested."""


class BackendRequestError(BackendError):
    """LM Studio rejected the request; ``text`` is its own text."""

    status = 400


class NoModelLoaded(BackendRequestError):
    """No model is loaded and LM Studio does not load on demand: load the model and repeat the request."""


class UnsupportedReasoningEffort(BackendRequestError):
    """The model or the backend's version rejects ``reasoning_effort``: repeat the request without it."""


class ContextOverflow(BackendRequestError):
    """The prompt is longer than the model's context; the two numbers are None if LM Studio does not state them."""

    def __init__(self, text: str, prompt_tokens: int | None = None, context_length: int | None = None) -> None:
        super().__init__(text)
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class ModelLoadError(BackendError):
    """The model crashed or could not be loaded."""

    status = 500


class ModelEvicted(ModelLoadError):
    """The model was unloaded while a request used it: repeat the request, unless output was already sent."""

    status = 503

    def __init__(self, text: str) -> None:
        """Say what happened and what to do; ``text`` is LM Studio's own."""
        explained = f"LM Studio unloaded the model while this request used it, please try again ({text})"
        super().__init__(explained, retry_after=1)


def lacks_route(error: ShimError) -> bool:
    """Tell whether the backend lacks a route: LM Studio says so, other OpenAI-compatible servers answer 404."""
    if isinstance(error, BackendRequestError):
        return error.status == 404 and error.code != "model_not_found"
    return isinstance(error, NoSuchEndpoint)

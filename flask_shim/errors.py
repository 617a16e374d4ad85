"""The base of all exceptions, and those that end a request before LM Studio is involved.

    ShimError
    ├── BadRequest              400  the request cannot be read or executed
    ├── Forbidden               403  host or origin not allowed, or the action is switched off
    ├── Unauthorized            401  a key is required
    ├── BodyTooLarge            413
    ├── UnsupportedEncoding     415
    ├── RequestCanceled         499  the operator stopped it
    └── LMStudioError                see :mod:`flask_shim.lmstudio.errors`

:mod:`flask_shim.error_responses` turns them into HTTP responses.
"""

from __future__ import annotations

from collections.abc import Iterator


class ShimError(Exception):
    """An error with a text for the client and an HTTP status."""

    status = 500
    param: str | None = None
    """The part of the request that is at fault, if LM Studio named it."""
    code: str | None = None
    """LM Studio's code for the error."""

    def __init__(
        self, text: str, *, status: int | None = None, retry_after: int | None = None, log_text: str = ""
    ) -> None:
        """Keep ``text`` for the client; ``retry_after`` is in seconds.

        ``log_text`` is the text for a log, needed where ``text`` quotes LM Studio, a model or a client.
        """
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after
        self.log_text = log_text
        if status is not None:
            self.status = status

    @property
    def safe_text(self) -> str:
        """The text for logs: quotations of LM Studio or a client, which may contain a prompt, are replaced."""
        if self.log_text:
            return self.log_text
        text = self.text
        for cause in _causes(self):
            if cause.text and cause.log_text:
                text = text.replace(cause.text, cause.log_text)
        return text


def _causes(exc: BaseException) -> Iterator[ShimError]:
    """Yield the ShimErrors in the chain of causes of ``exc``, the latest first."""
    seen = {id(exc)}  # an exception that is raised from itself is its own cause
    cause = exc.__cause__ or exc.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ShimError):
            yield cause
        cause = cause.__cause__ or cause.__context__


class BadRequest(ShimError):
    """The request cannot be read or executed."""

    status = 400


class Forbidden(ShimError):
    """The host or origin is not allowed, or the action is switched off."""

    status = 403


class Unauthorized(ShimError):
    """A key is required, and the request has none or a wrong one."""

    status = 401


class UnsupportedEncoding(ShimError):
    """The request body has an encoding that the shim cannot decode."""

    status = 415
    supported = "zstd, gzip, deflate, br"


class RequestCanceled(ShimError):
    """The operator of the server stopped the request. Clients do not repeat a request with this status."""

    status = 499

    def __init__(self) -> None:
        """Use the one text for it."""
        super().__init__("the request was stopped by the operator of this server")


class BodyTooLarge(ShimError):
    """The request body is larger than the configured limit."""

    status = 413

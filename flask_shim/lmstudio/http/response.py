"""The backend's answer to one request: status, headers, and a body that is read as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import requests
import urllib3

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import BackendProtocolError, BackendTimeout
from flask_shim.lmstudio.http._urllib3 import body_reader
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.chunked import FramingError

CUT = "LM Studio closed the connection before its answer was complete"


def _nothing() -> None:
    """Release nothing."""


class BackendResponse:
    """An open answer. The caller must close it; closing it early makes the backend stop generating."""

    __slots__ = ("_call", "_read", "_release", "_response", "headers", "status")

    def __init__(
        self, response: requests.Response, call: BackendCall, chunk_size: int, release: Callable[[], None] = _nothing
    ) -> None:
        """Take over ``response``, asked for with ``stream=True``; ``release`` is called when it is closed."""
        self._release = release
        self.status = response.status_code
        self.headers = response.headers
        self._call = call
        self._response = response
        self._read = body_reader(response, chunk_size)

    @property
    def content_type(self) -> str:
        """The media type, lower case and without parameters."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def check_encoding(self) -> None:
        """Raise BackendBroke if the body is encoded: nothing of that kind was asked for."""
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise BackendProtocolError(
                f"LM Studio's answer is encoded with {encoding[:20]} though nothing was asked for"
            )

    @property
    def call(self) -> BackendCall:
        """The call this is the answer to."""
        return self._call

    def read(self) -> bytes:
        """Return the bytes that have arrived, b"" at the end.

        Raises BackendBroke when the answer is cut or garbled, and whatever the call was cancelled with.
        """
        try:
            block = self._read()
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as exc:
            raise self._failure(exc) from exc
        if not block and self._call.failure is not None:
            raise self._call.failure  # a socket that was shut down reads like a clean end
        return block

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over what arrives, as it arrives."""
        return iter(self.read, b"")

    def read_all(self, limit: int) -> bytes:
        """Return the whole body; raise BackendBroke when it has more than ``limit`` bytes (0: any number)."""
        blocks: list[bytes] = []
        size = 0
        for block in self:
            size += len(block)
            if limit and size > limit:
                raise BackendProtocolError(f"LM Studio's answer is longer than {limit} bytes")
            blocks.append(block)
        return b"".join(blocks)

    def close(self) -> None:
        """Give the connection up; safe to call twice and from any thread that does not read."""
        self._call.detach()
        self._response.close()
        release, self._release = self._release, _nothing
        release()

    def __enter__(self) -> BackendResponse:
        """Close at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _failure(self, exc: Exception) -> ShimError:
        if self._call.failure is not None:
            return self._call.failure
        if isinstance(exc, TimeoutError | urllib3.exceptions.TimeoutError):
            return BackendTimeout("LM Studio sent nothing for too long")
        if isinstance(exc, FramingError):
            return BackendProtocolError(f"LM Studio's answer is garbled: {exc}")
        return BackendProtocolError(CUT)

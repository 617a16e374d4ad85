"""The backend's response to one request: its status, its headers, and a body that is read as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import requests
import urllib3

from flask_shim.lmstudio.errors import BackendProtocolError, BackendTimeout
from flask_shim.lmstudio.http.cancellation import BackendCall

CUT = "LM Studio closed the connection before its answer was complete"


class BackendResponse:
    """An open response. The caller must close it; closing it early makes the backend stop generating."""

    __slots__ = ("_chunk_size", "_release", "_response", "call", "headers", "status")

    def __init__(
        self, response: requests.Response, call: BackendCall, chunk_size: int, release: Callable[[], None]
    ) -> None:
        """Take over ``response``, requested with ``stream=True``; ``release`` is called once, when it is closed."""
        self.status = response.status_code
        self.headers = response.headers
        self.call = call
        self._response = response
        self._chunk_size = chunk_size
        self._release: Callable[[], None] | None = release

    @property
    def content_type(self) -> str:
        """The media type, lower case and without parameters."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def check_encoding(self) -> None:
        """Raise BackendProtocolError if the body is compressed: the request forbade that."""
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise BackendProtocolError(
                f"LM Studio's answer is encoded with {encoding[:20]} though nothing was asked for"
            )

    def read(self) -> bytes:
        """Return the bytes that have arrived, after waiting for at least one; b"" at the end.

        Raises BackendProtocolError if the body is cut or malformed, and the failure of the call if it is cancelled.
        """
        try:
            block = self._response.raw.read1(self._chunk_size, decode_content=False)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as exc:
            if self.call.failure is not None:
                raise self.call.failure from exc
            if isinstance(exc, TimeoutError | urllib3.exceptions.TimeoutError):
                raise BackendTimeout("LM Studio sent nothing for too long") from exc
            raise BackendProtocolError(CUT) from exc
        if not block and self.call.failure is not None:
            raise self.call.failure  # a socket that was shut down reads like a clean end
        return bytes(block)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the blocks as they arrive."""
        return iter(self.read, b"")

    def read_all(self, limit: int) -> bytes:
        """Return the whole body; raise BackendProtocolError if it has more than ``limit`` bytes (0: no limit)."""
        blocks: list[bytes] = []
        size = 0
        for block in self:
            size += len(block)
            if limit and size > limit:
                raise BackendProtocolError(f"LM Studio's answer is longer than {limit} bytes")
            blocks.append(block)
        return b"".join(blocks)

    def close(self) -> None:
        """Close the connection; safe to call twice and from any thread that does not read."""
        self.call.detach()
        self._response.close()
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> BackendResponse:
        """Close at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

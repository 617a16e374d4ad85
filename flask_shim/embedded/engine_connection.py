"""Send a request to an engine on a connection that can be closed while it waits.

Neither requests nor http.client release a socket while they wait for a response. Here the socket has a short timeout,
after which the reader checks whether the client is still connected: no second thread is needed.
"""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from flask_shim.embedded.engine import Engine, IsDisconnected
from flask_shim.lmstudio.errors import BackendProtocolError, ClientDisconnected

TICK_SECONDS = 0.1
SEND_SECONDS = 60.0
CHUNK_BYTES = 65536


class _SocketReader(io.RawIOBase):
    """Reads from a socket, which it owns, until the client disconnects or the engine has ended."""

    def __init__(self, sock: socket.socket, engine: Engine, is_disconnected: IsDisconnected) -> None:
        self._socket, self._engine, self._is_disconnected = sock, engine, is_disconnected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            with suppress(TimeoutError):
                return self._socket.recv_into(buffer)
            if self._is_disconnected():
                raise ClientDisconnected
            if self._engine.exit_code is not None:  # its end of the connection may stay open in another process
                raise ConnectionResetError

    def close(self) -> None:
        self._socket.close()
        super().close()


class _SocketFile:
    """The part of a socket that http.client's response uses."""

    def __init__(self, reader: _SocketReader) -> None:
        self._reader = reader

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self._reader, CHUNK_BYTES)


class EngineReply:
    """An engine's streamed response. The caller closes it; closing stops the generation."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.is_stream = (response.getheader("Content-Type") or "").startswith("text/event-stream")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives; raise BackendProtocolError if it is incomplete."""
        with _translated_errors():
            while chunk := self._response.read1(CHUNK_BYTES):
                yield chunk

    def read(self) -> bytes:
        """Return the whole body; raise BackendProtocolError if it is incomplete."""
        with _translated_errors():
            return self._response.read()

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def open_reply(engine: Engine, path: str, payload: Mapping[str, Any], is_disconnected: IsDisconnected) -> EngineReply:
    """POST ``payload`` and return the response once its headers arrived; the caller closes it.

    Raise ClientDisconnected if the client disconnects first, BackendProtocolError if the engine dies.
    """
    try:
        sock = socket.create_connection(engine.address, SEND_SECONDS)
    except OSError as exc:
        raise BackendProtocolError("the engine does not answer") from exc
    response = HTTPResponse(
        cast("socket.socket", _SocketFile(_SocketReader(sock, engine, is_disconnected))), method="POST"
    )
    try:
        with _translated_errors():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(_request(path, engine.spec.key, json.dumps(payload).encode()))
            sock.settimeout(TICK_SECONDS)
            response.begin()
    except BaseException:
        response.close()
        raise
    return EngineReply(response)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise BackendProtocolError for the errors of a connection whose engine died."""
    try:
        yield
    except (OSError, HTTPException) as exc:
        raise BackendProtocolError("the engine broke off") from exc


def _request(path: str, key: str, body: bytes) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: engine",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

"""Ask an engine over a connection of our own that can be left at any moment.

Neither requests nor http.client let go of a socket while they wait for an answer. Here the socket wakes up a few times
a second to look whether the client is still there. The wait sits in the system's own timeout, so a token costs no
more, no second thread is needed, and nothing in it differs between Linux and Windows.
"""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from flask_shim.embedded.engine import Engine, Gone
from flask_shim.lmstudio.errors import BackendProtocolError, ClientDisconnected

TICK_SECONDS = 0.1
SEND_SECONDS = 60.0
CHUNK_BYTES = 65536


class _PatientReader(io.RawIOBase):
    """The receiving half of a socket, which it owns: waits without a limit until the client disconnects."""

    def __init__(self, sock: socket.socket, is_disconnected: Gone) -> None:
        self._socket, self._gone = sock, is_disconnected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            with suppress(TimeoutError):
                return self._socket.recv_into(buffer)
            if self._gone():
                raise ClientDisconnected

    def close(self) -> None:
        self._socket.close()
        super().close()


class _Plug:
    """As much of a socket as http.client's response wants to see."""

    def __init__(self, reader: _PatientReader) -> None:
        self._reader = reader

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self._reader, CHUNK_BYTES)


class EngineReply:
    """An engine's answer as it arrives. The caller must close it; closing stops the generation."""

    def __init__(self, response: HTTPResponse) -> None:
        """Take over ``response``."""
        self._response = response
        self.status = response.status
        self.is_stream = (response.getheader("Content-Type") or "").startswith("text/event-stream")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body byte for byte, as it comes; :class:`BackendBroke` if it is cut short."""
        with _broken_is_said():
            while chunk := self._response.read1(CHUNK_BYTES):
                yield chunk

    def read(self) -> bytes:
        """Return the whole body; :class:`BackendBroke` if it is cut short."""
        with _broken_is_said():
            return self._response.read()

    def close(self) -> None:
        """Hang up."""
        self._response.close()


def open_reply(engine: Engine, path: str, payload: Mapping[str, Any], is_disconnected: Gone) -> EngineReply:
    """POST ``payload`` and return the answer once its head is there; the caller closes it.

    :class:`ClientGone` when ``gone`` says so first, :class:`BackendBroke` when the engine dies.
    """
    try:
        sock = socket.create_connection(engine.address, SEND_SECONDS)
    except OSError as exc:
        raise BackendProtocolError("the engine does not answer") from exc
    response = HTTPResponse(cast("socket.socket", _Plug(_PatientReader(sock, is_disconnected))), method="POST")
    try:
        with _broken_is_said():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(_request(path, engine.spec.key, json.dumps(payload).encode()))
            sock.settimeout(TICK_SECONDS)
            response.begin()
    except BaseException:
        response.close()
        raise
    return EngineReply(response)


@contextmanager
def _broken_is_said() -> Iterator[None]:
    """Translate what a dying engine looks like on the wire."""
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

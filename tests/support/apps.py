"""Applications for tests: one whose backend must not be used, one behind a real waitress."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask import Flask
from waitress.server import create_server

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.lmstudio.http.cancellation import Watchdog
from flask_shim.services import services_of
from flask_shim.serving._waitress import shut_down
from support.wine import SLOWNESS

TIMEOUT_SECONDS = 10.0 * SLOWNESS
BACKEND_AWAY = 503
"""What answers a request that got past the guards and asked for the backend."""


class NoBackend:
    """Stands in for an LMStudio that is not running; records the attributes that were accessed."""

    def __init__(self) -> None:
        self.touched: list[str] = []
        self.watchdog = Watchdog()
        self.open_connections = 0
        self.figures: list[tuple[str, bool, int, int]] = []

    def is_reachable(self) -> bool:
        """Accept no connections."""
        return False

    def measure(self) -> list[tuple[str, bool, int, int]]:
        """Return the figures of several LM Studios, or of the only one."""
        return self.figures or [("", False, self.open_connections, 0)]

    def __getattr__(self, name: str) -> Any:
        self.touched.append(name)
        raise BackendUnavailable("there is no LM Studio")


def guarded(**settings: Any) -> tuple[Flask, NoBackend]:
    """Return a whole application with these settings, and its backend."""
    backend = NoBackend()
    return create_app(Config(**settings), backend), backend  # type: ignore[arg-type]


@contextlib.contextmanager
def several_apps(**always: Any) -> Iterator[Callable[..., Flask]]:
    """Yield a function that makes the application of some settings over ``always``; all are closed at the end."""
    with contextlib.ExitStack() as owned:

        def made(**settings: Any) -> Flask:
            app = create_app(Config(**{**always, **settings}))
            owned.callback(services_of(app).close)
            return app

        yield made


class OldBackend(BaseHTTPRequestHandler):
    """An LM Studio with one model and only ``/v1``; records the headers of its requests.

    It answers with three tokens. To the prompt "break" it disconnects after the first; to "go on" it never ends.
    """

    def do_GET(self) -> None:
        self._note()
        body = b'{"object": "list", "data": [{"id": "tiny-chat", "object": "model"}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self._note()
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        with contextlib.suppress(OSError):  # disconnects are what the tests are about
            self._answer(asked["messages"][-1]["content"])

    def _answer(self, prompt: str) -> None:
        self._send({"delta": {"role": "assistant", "content": "a"}})
        if prompt == "break":
            return
        while prompt == "go on":
            time.sleep(0.01)
            self._send({"delta": {"content": "a"}})
        for _ in range(2):
            self._send({"delta": {"content": "a"}})
        self._send({"delta": {}, "finish_reason": "stop"}, usage={"prompt_tokens": 7, "completion_tokens": 3})
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, choice: dict[str, Any], **more: Any) -> None:
        event = {"choices": [{"index": 0, **choice}], **more}
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _note(self) -> None:
        self.server.heads.append(dict(self.headers))  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextlib.contextmanager
def old_backend() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run an :class:`OldBackend`; yield its URL and the headers of every request it gets."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OldBackend) as server:
        server.heads = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.heads  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)


@contextlib.contextmanager
def served(app: Flask, **adjustments: Any) -> Iterator[int]:
    """Serve ``app`` with waitress on a port of loopback, which is yielded."""
    server: Any = create_server(app, map={}, host="127.0.0.1", port=0, **{"threads": 4, **adjustments})
    thread = threading.Thread(target=server.run, name="waitress", daemon=True)
    thread.start()
    try:
        yield server.effective_port
    finally:
        shut_down([server], seconds=1)
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()


def sent(port: int, request: bytes) -> bytes:
    """Send these bytes and return everything that comes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer."""
    return int(answer.split(b" ", 2)[1])

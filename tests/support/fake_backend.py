"""A backend made of one function, for answers that no real engine gives: broken ones, old ones, unfinished ones.

with FakeBackend(lambda asked: {"data": []}) as backend:
    requests.get(backend.url + "/v1/models")
    assert backend.asked[0].path == "/v1/models"
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

NOTHING = object()
"""Answer that says nothing until the client hangs up."""


class Said(NamedTuple):
    """An answer with a status of its own."""

    status: int
    value: Any


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    json: Any


class FakeBackend:
    """Listens from the moment it exists until :meth:`stop`; a context manager."""

    def __init__(self, answer: Callable[[Asked], Any]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.hung_up = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> FakeBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        """Return what was asked, lists of models left out."""
        told = (f"{asked.method} {asked.path}" for asked in self.asked)
        return [text for text in told if not text.endswith("/models")]

    def _handler(fake) -> type[BaseHTTPRequestHandler]:  # noqa: N805  self is the handler below
        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(self.command, self.path, json.loads(body) if body else None)
                fake.asked.append(asked)
                answer = fake.answer(asked)
                if answer is NOTHING:
                    self.rfile.read(1)
                    fake.hung_up.set()
                    return
                status, value = answer if isinstance(answer, Said) else (200, answer)
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve  # noqa: N815  the library's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def v1_model(key: str, kind: str = "llm", *, context_length: int | None = None, **more: Any) -> dict[str, Any]:
    """Return an entry of the newest model list; with a ``context_length`` it is loaded."""
    instances = [{"id": key, "config": {"context_length": context_length}}] if context_length else []
    return {"key": key, "type": kind, "max_context_length": 8192, "loaded_instances": instances, **more}


def v0_model(key: str, kind: str = "llm", *, context_length: int | None = None) -> dict[str, Any]:
    """Return an entry of the older model list; with a ``context_length`` it is loaded."""
    state = {"state": "loaded", "loaded_context_length": context_length} if context_length else {"state": "not-loaded"}
    return {"id": key, "type": kind, "max_context_length": 8192, **state}


UNKNOWN = {"error": "Unexpected endpoint or method. (GET /api/v1/models). Returning 200 anyway"}
"""What LM Studio says, with status 200, to a path it does not have."""

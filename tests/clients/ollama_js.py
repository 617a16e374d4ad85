"""The npm package, as far as the wire shows: how it splits a stream, what it throws at. Ollama's own extension for VS
Code, Roo Code, AnythingLLM and LangChain.js ride on it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "User-Agent": "ollama-js/0.6.4 (x64 linux)",
}


class Thrown(Exception):
    """The package throws this text."""


class OllamaJs:
    """One client. Pulls and deletions send ``name``, and every request says whether it streams."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the parsed answer; throw what the package throws."""
        connection, response = self._open(method, path, body)
        try:
            return json.loads(response.read())
        finally:
            connection.close()

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[Any]:
        """Yield the objects of a stream by the package's rules; what it only warns of is an error here."""
        connection, response = self._open("POST", path, {**body, "stream": True})
        try:
            buffer = b""
            while block := response.read1(65536):
                *lines, buffer = (buffer + block).split(b"\n")
                for line in lines:
                    part = json.loads(line)
                    if "error" in part:
                        raise Thrown(str(part["error"]))
                    yield part
                    if part.get("done") or part.get("status") == "success":
                        return
            raise Thrown("Did not receive done or success response in stream.")
        finally:
            connection.close()

    def _open(self, method: str, path: str, body: Any) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, None if body is None else json.dumps(body), HEADERS)
        response = connection.getresponse()
        if response.status < 300:
            return connection, response
        text = response.read().decode()
        connection.close()
        if "application/json" in response.headers.get("Content-Type", ""):
            text = json.loads(text).get("error", text)
        raise Thrown(f"{response.status}: {text}")

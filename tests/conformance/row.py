"""One row of the table: a request, and what Ollama answers; the short ways to write one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.shapes import Shape, matching

JSON = "application/json"
JSON_UTF8 = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
PLAIN = "text/plain"


@dataclass(frozen=True)
class Many:
    """Lines or events of one shape, one after the other; ``least`` of them at least."""

    shape: Any
    least: int = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """A request and the answer it must get.

    ``section`` is that of the description of Ollama's API. ``body`` is sent as it is if it is bytes, else as JSON.
    Of the answer's body one of ``text``, ``json``, ``lines`` (NDJSON) or ``events`` (SSE) is looked at.
    ``differs`` says, if we don't answer as Ollama does, what it is that differs and why; it stands in the docs.
    """

    name: str
    section: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    before: tuple[tuple[str, str, Any], ...] = ()
    status: Any = 200
    type: str | Shape | None = JSON_UTF8
    text: str | None = None
    json: Any = ...
    lines: list[Any] | None = None
    events: list[Any] | None = None
    sent: Mapping[str, Any] = field(default_factory=dict)
    raw: str = ""
    differs: str = ""


def get(section: str, name: str, path: str, **more: Any) -> Row:
    """Make a row of a GET."""
    return Row(section=section, name=name, method="GET", path=path, **more)


def head(section: str, name: str, path: str, **more: Any) -> Row:
    """Make a row of a HEAD."""
    return Row(section=section, name=name, method="HEAD", path=path, **more)


def post(section: str, name: str, path: str, body: Any = None, **more: Any) -> Row:
    """Make a row of a POST."""
    return Row(section=section, name=name, method="POST", path=path, body=body, **more)


def delete(section: str, name: str, path: str, body: Any = None, **more: Any) -> Row:
    """Make a row of a DELETE."""
    return Row(section=section, name=name, method="DELETE", path=path, body=body, **more)


def error(status: Any, text: Any) -> dict[str, Any]:
    """Expect an error in Ollama's own envelope."""
    return {"status": status, "type": JSON_UTF8, "json": {"error": text}}


_OPENAI_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def openai_error(status: int, text: Any) -> dict[str, Any]:
    """Expect an error in the envelope of OpenAI's routes."""
    kind = _OPENAI_TYPES.get(status, "api_error")
    envelope = {"error": {"message": text, "type": kind, "param": None, "code": None}}
    return {"status": status, "type": JSON_UTF8, "json": envelope}


_ANTHROPIC_TYPES = {400: "invalid_request_error", 404: "not_found_error", 503: "overloaded_error"}


def anthropic_error(status: int, text: Any) -> dict[str, Any]:
    """Expect an error in the envelope of Anthropic's route."""
    envelope = {
        "type": "error",
        "error": {"type": _ANTHROPIC_TYPES.get(status, "api_error"), "message": text},
        "request_id": matching("req_[0-9a-f]{24}"),
    }
    return {"status": status, "type": JSON_UTF8, "json": envelope}


def no_such_path() -> dict[str, Any]:
    """Expect the answer to an unknown path."""
    return {"status": 404, "type": PLAIN, "text": "404 page not found"}


def wrong_method(allow: str) -> dict[str, Any]:
    """Expect what is said of a known path asked in the wrong way."""
    return {"status": 405, "type": PLAIN, "text": "405 method not allowed", "sent": {"Allow": allow}}


def nothing(status: int = 200) -> dict[str, Any]:
    """Expect an answer without a body and without a type."""
    return {"status": status, "type": None, "text": ""}

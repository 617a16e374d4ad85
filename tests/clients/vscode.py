"""VS Code's built-in Ollama provider, as far as the wire shows: its calls, and what it makes of the answers."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from support.raw_http import Reply, exchange

HEADERS = {
    "User-Agent": "GitHubCopilotChat/0.42.0",
    "X-VSCode-User-Agent-Library-Version": "electron-fetch",
}
CHAT_HEADERS = {
    **HEADERS,
    "Content-Type": "application/json",
    "Authorization": "Bearer ",
    "X-Request-Id": "00000000-0000-0000-0000-000000000000",
    "OpenAI-Intent": "conversation-agent",
    "X-GitHub-Api-Version": "2025-05-01",
}
OLDEST = (0, 6, 4)
UNKNOWN_CONTEXT = 32768

MISREAD = {401, 402, 403, 422, 429, 499, 503}
"""Statuses it takes for sign-in, quota or filter trouble."""


class Model(NamedTuple):
    """What the picker knows of a model; ``context`` is in tokens."""

    id: str
    name: str
    context: int
    has_tools: bool
    has_vision: bool


class Answer(NamedTuple):
    """What a turn comes to."""

    text: str
    calls: list[tuple[str, dict[str, Any]]]
    finish_reason: str
    usage: dict[str, Any] | None


class Broken(Exception):
    """The turn fails in the editor, with this text."""


class Editor:
    """One window; ``base`` is put before every path as typed."""

    def __init__(self, port: int, base: str = "") -> None:
        self.port, self.base = port, base

    def _ask(self, method: str, path: str, body: Any = None, headers: Any = HEADERS) -> Reply:
        return exchange(self.port, method, f"{self.base}{path}", body, headers)

    def discover(self) -> list[Model]:
        """Look at the version, then at the list, then at each model; statuses do not matter to it."""
        version = self._ask("GET", "/api/version").json["version"]
        if version != "0.0.0" and tuple(map(_number, version.split("."))) < OLDEST:
            raise Broken(f"Ollama {version} is too old")
        listed = self._ask("GET", "/api/tags").json["models"]
        return [self._model(entry["model"]) for entry in listed]

    def _model(self, id_: str) -> Model:
        shown = self._ask("POST", "/api/show", {"model": id_}, {**HEADERS, "Content-Type": "application/json"}).json
        info, capabilities = shown["model_info"], shown["capabilities"]
        context = info.get(f"{info['general.architecture']}.context_length", UNKNOWN_CONTEXT)
        name = info.get("general.basename") or shown.get("remote_model") or id_
        return Model(id_, name, context, "tools" in capabilities, "vision" in capabilities)

    def chat(self, model: str, messages: list[Any], tools: list[Any] | None = None, **more: Any) -> Answer:
        """Send a turn as it does, and read the stream as it does."""
        body = {
            "model": model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "n": 1,
            "temperature": 0.1,
            "top_p": 1,
            **({"tools": tools} if tools else {}),
            **more,
        }
        reply = self._ask("POST", "/v1/chat/completions", body, CHAT_HEADERS)
        if reply.status != 200:
            assert reply.status not in MISREAD, f"{reply.status} would be misread"
            raise Broken(f"Request Failed: {reply.status} {reply.text}")
        return read(reply.text)


def _number(part: str) -> int:
    digits = part[: len(part) - len(part.lstrip("0123456789"))]
    return int(digits) if digits else 0


def read(stream: str) -> Answer:
    """Put a stream together by the editor's rules; what it would log as broken is an error here."""
    text, usage, finish = "", None, None
    calls: list[dict[str, Any]] = []
    for line in stream.split("\n"):
        if not line or line.startswith(":"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            break
        event = json.loads(data)
        if event.get("error"):
            raise Broken(f"Server error. Stream terminated {event['error']}")
        assert "choices" in event, event
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            assert choice["index"] == 0
            delta = choice.get("delta") or {}
            text += delta.get("content") or ""
            _collect(calls, delta.get("tool_calls") or ())
            finish = choice.get("finish_reason") or finish
    return _ended(text, calls, finish, usage)


def _collect(calls: list[dict[str, Any]], fragments: Any) -> None:
    for fragment in fragments:
        function = fragment.get("function") or {}
        is_new = not calls or (fragment.get("id") and fragment["id"] != calls[-1]["id"])
        if is_new:
            calls.append({"id": fragment.get("id"), "name": "", "arguments": ""})
        call = calls[-1]
        call["name"] = function.get("name") or call["name"]
        call["arguments"] += function.get("arguments") or ""


def _ended(text: str, calls: list[dict[str, Any]], finish: str | None, usage: Any) -> Answer:
    if finish is None:
        raise Broken("Response contained no choices.")
    if finish == "length":
        raise Broken("Response too long.")
    if not text and not calls:
        raise Broken("Sorry, no response was returned.")
    assert usage is None or all(
        isinstance(usage[key], int) for key in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    return Answer(text, [(call["name"], json.loads(call["arguments"] or "{}")) for call in calls], finish, usage)

"""Chat turns into OpenAI's shape. Pure.

Most clients give tool results back without ids and without names, because Ollama's own library drops them, while
LM Studio insists on ids; so ids are made up where they are missing, and results are paired with calls in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from flask_shim.translate.asks import Message, ToolCall
from flask_shim.translate.images import to_data_url

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool", "developer": "system"}
"""LM Studio refuses every other role; Ollama takes any."""

_OLD_THINKING = re.compile(r"^\s*<think>.*?</think>\s*", re.S)


def to_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the history as LM Studio takes it: string contents, call ids everywhere, images as data URLs."""
    pairing = _Pairing()
    return [_TURNS.get(_ROLES.get(message.role, "user"), _plain)(message, pairing) for message in messages]


class _Pairing:
    """Which calls of the history still wait for their result."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._made = 0

    def call(self, call: ToolCall) -> str:
        if not call.id:
            self._made += 1
        number = call.id or f"call_{self._made}"
        self._open.append((number, call.name))
        return number

    def result(self, message: Message) -> str:
        """Return the id of the call answered: the one named, else the first of that tool, else the first."""
        if message.tool_call_id:
            self._open = [waiting for waiting in self._open if waiting[0] != message.tool_call_id]
            return message.tool_call_id
        named = [waiting for waiting in self._open if message.tool_name in ("", waiting[1])] or self._open
        if not named:
            self._made += 1
            return f"call_{self._made}"
        self._open.remove(named[0])
        return named[0][0]


def _plain(message: Message, _: _Pairing) -> dict[str, Any]:
    role = _ROLES.get(message.role, "user")
    if not message.images:
        return {"role": role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}] if message.content else []
    parts += [{"type": "image_url", "image_url": {"url": to_data_url(image)}} for image in message.images]
    return {"role": role, "content": parts}


def _assistant(message: Message, pairing: _Pairing) -> dict[str, Any]:
    # Templates of thinking models drop old thinking themselves only where they know its tags.
    turn: dict[str, Any] = {"role": "assistant", "content": _OLD_THINKING.sub("", message.content)}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": pairing.call(call),
                "type": "function",
                "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
    return turn


def _tool(message: Message, pairing: _Pairing) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": pairing.result(message), "content": message.content}


_TURNS = {"assistant": _assistant, "tool": _tool}

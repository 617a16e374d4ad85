"""Chat turns into OpenAI's shape. Pure.

Most clients give tool results back without ids and without names, because Ollama's own library drops them, while
LM Studio insists on ids; so ids are made up where they are missing, and results are paired with calls in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import orjson

from flask_shim.translate.asks import Message, ToolCall
from flask_shim.translate.images import to_data_url

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool", "developer": "system"}
"""LM Studio refuses every other role; Ollama takes any."""

_OLD_THINKING = re.compile(r"^\s*<think>.*?</think>\s*", re.S)


def to_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the history as LM Studio takes it: string contents, call ids everywhere, images as data URLs."""
    pairing = _Pairing(messages)
    return [_TURNS.get(_ROLES.get(message.role, "user"), _plain)(message, pairing) for message in messages]


class _Waiting(NamedTuple):
    """A call of the history without its result. ``is_made`` says that the client gave it no id."""

    id: str
    name: str
    is_made: bool


class _Pairing:
    """Which calls of the history still wait for their result."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._open: list[_Waiting] = []
        self._taken = {message.tool_call_id for message in messages}
        self._taken.update(call.id for message in messages for call in message.tool_calls)
        self._numbers = count(1)

    def call(self, call: ToolCall) -> str:
        waiting = _Waiting(call.id or self._new_id(), call.name, not call.id)
        self._open.append(waiting)
        return waiting.id

    def result(self, message: Message) -> str:
        """Return the id of the call answered: the one named, else the first of that tool, else the first.

        A client that names ids in results only means the calls that have none.
        """
        number = message.tool_call_id
        candidates = [waiting for waiting in self._open if number in ("", waiting.id)]
        candidates = candidates or [waiting for waiting in self._open if waiting.is_made]
        if not candidates:
            return number or self._new_id()
        answered = next((waiting for waiting in candidates if waiting.name == message.tool_name), candidates[0])
        self._open.remove(answered)
        return answered.id

    def _new_id(self) -> str:
        return next(number for number in map("call_{}".format, self._numbers) if number not in self._taken)


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

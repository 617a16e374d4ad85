"""Chat turns into OpenAI's shape. Pure.

Most clients give tool results back without ids and without names, because Ollama's own library drops them, while
LM Studio insists on ids; so ids are made up where they are missing, and results are paired with calls in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

import orjson

from flask_shim.translate.ollama.images import to_data_url
from flask_shim.translate.ollama.requests import Message, ToolCall

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool", "developer": "system"}
"""LM Studio refuses every other role; Ollama takes any."""

_OLD_THINKING = re.compile(r"^\s*<think>.*?</think>\s*", re.S)

SHOWN_BELOW = "(the picture is in the next message)"
"""Stands for a tool's result that is nothing but a picture."""


def to_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the history as LM Studio takes it: string contents, call ids everywhere, images as data URLs.

    It takes pictures only of users: those of a tool or an assistant go into the next turn of the user, or one made for
    them behind all results that stand together. Thinking goes back only while the calls it led to are being answered.
    """
    pairing = _Pairing(messages)
    turns = _with_pictures_of_users(_without_old_thinking(messages))
    return [_TURNS.get(_role(message), _plain)(message, pairing) for message in turns]


def _without_old_thinking(messages: Sequence[Message]) -> Iterator[Message]:
    last_user = max((at for at, message in enumerate(messages) if _role(message) == "user"), default=-1)
    for at, message in enumerate(messages):
        is_live = at > last_user and message.tool_calls
        yield message if is_live or not message.thinking else replace(message, thinking="")


def _with_pictures_of_users(messages: Iterable[Message]) -> Iterator[Message]:
    waiting: tuple[bytes, ...] = ()
    for message in messages:
        role = _role(message)
        if role == "user":
            yield replace(message, images=(*waiting, *message.images)) if waiting else message
            waiting = ()
            continue
        if waiting and role != "tool":
            yield Message("user", images=waiting)
            waiting = ()
        yield message
        if role in _TURNS:
            waiting += message.images
    if waiting:
        yield Message("user", images=waiting)


def _role(message: Message) -> str:
    return _ROLES.get(message.role, "user")


class _Waiting(NamedTuple):
    """A call of the history without its result. ``is_made`` says that the client gave it no id."""

    id: str
    name: str
    is_made: bool


class _Pairing:
    """Which calls of the history still wait for their result."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._open: list[_Waiting] = []
        self._given_up: list[_Waiting] = []
        self._taken = {message.tool_call_id for message in messages}
        self._taken.update(call.id for message in messages for call in message.tool_calls)
        self._numbers = count(1)

    def call(self, call: ToolCall) -> str:
        waiting = _Waiting(call.id or self._new_id(), call.name, not call.id)
        self._open.append(waiting)
        return waiting.id

    def give_up(self) -> None:
        """Note that the user spoke: calls that still wait were cancelled, most likely."""
        self._given_up += self._open
        self._open = []

    def result(self, message: Message) -> str:
        """Return the id of the call answered: the one named, else the first of that tool, else the first.

        A client that names ids in results only means the calls that have none.
        """
        answered = self._answered_by(message)
        if answered is None:
            return message.tool_call_id or self._new_id()
        self._open = [call for call in self._open if call is not answered]
        self._given_up = [call for call in self._given_up if call is not answered]
        return answered.id

    def _answered_by(self, message: Message) -> _Waiting | None:
        named = message.tool_call_id
        for calls in (
            [call for call in (*self._open, *self._given_up) if call.id == named],
            [call for call in self._open if call.is_made or not named],
            [call for call in self._given_up if call.is_made or not named],
        ):
            if calls:
                return next((call for call in calls if call.name == message.tool_name), calls[0])
        return None

    def _new_id(self) -> str:
        return next(number for number in map("call_{}".format, self._numbers) if number not in self._taken)


def _plain(message: Message, pairing: _Pairing) -> dict[str, Any]:
    role = _role(message)
    if role == "user":
        pairing.give_up()
    if not message.images:
        return {"role": role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}] if message.content else []
    parts += [{"type": "image_url", "image_url": {"url": to_data_url(image)}} for image in message.images]
    return {"role": role, "content": parts}


def _assistant(message: Message, pairing: _Pairing) -> dict[str, Any]:
    # Templates of thinking models drop old thinking themselves only where they know its tags.
    turn: dict[str, Any] = {"role": "assistant", "content": _OLD_THINKING.sub("", message.content)}
    if message.thinking:
        turn["reasoning_content"] = message.thinking
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
    content = message.content or (SHOWN_BELOW if message.images else "")
    return {"role": "tool", "tool_call_id": pairing.result(message), "content": content}


_TURNS = {"assistant": _assistant, "tool": _tool}

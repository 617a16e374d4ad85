"""Explain what LM Studio receives instead of what a client sent: each field that is left out, changed or added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

_LONGEST_EXCERPT = 300


class Change(NamedTuple):
    """One difference. ``field`` is the client's name, or LM Studio's if the field was added."""

    field: str
    change: str
    reason: str


class PrefixBreak(NamedTuple):
    """The first message by which two prompts differ, with excerpts from where it does; for tools, the role is that."""

    differs_at: int
    role: str
    before: str
    now: str


_UNKNOWN = "LM Studio has no such field"

# LM Studio's field ("" if none), the reason, and the fields of clients that become it.
_REASONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("model", "resolved to the key in LM Studio's list", ("model", "model_key")),
    (
        "messages",
        "written in the form of chat completions: pictures as URLs, tool calls with ids, arguments as text",
        ("messages", "input"),
    ),
    (
        "messages",
        "a message of the chat, so that LM Studio applies the model's template",
        ("prompt", "system", "instructions"),
    ),
    ("messages", "the turns before, as messages", ("context",)),
    ("messages", "part of the last message", ("images",)),
    (
        "prompt",
        "written into one prompt, to which LM Studio applies no template",
        ("messages", "prompt", "system", "context", "images"),
    ),
    ("input", "texts for embeddings, as a list", ("input", "prompt")),
    ("", "this server does it itself", ("dimensions", "encoding_format")),
    ("", "LM Studio's own settings decide what happens to a prompt that does not fit", ("truncate", "shift")),
    ("prompt", "written into the prompt, because LM Studio ignores it", ("suffix",)),
    ("stream", "LM Studio always sends a stream; a whole answer is added up from it", ("stream",)),
    (
        "response_format",
        "LM Studio accepts a JSON schema only, and would follow it instead of calling a tool that must be called",
        ("format", "text", "response_format"),
    ),
    (
        "reasoning_effort",
        "LM Studio's name; left out where its default is right or the model cannot think",
        ("think", "reasoning", "thinking", "output_config", "reasoning_effort"),
    ),
    ("ttl", "idle seconds for LM Studio; this server unloads the model itself, too", ("keep_alive",)),
    ("tools", "as functions, without nulls and what LM Studio rejects", ("tools",)),
    ("tool_choice", "LM Studio accepts only none, auto and required", ("tool_choice",)),
    ("max_tokens", "LM Studio's name for the limit", ("num_predict", "max_output_tokens", "max_completion_tokens")),
    ("stop", "LM Studio's name", ("stop_sequences",)),
    ("stop", "as a list", ("stop",)),
    ("", "set when the model is loaded, not by a request", ("num_ctx", "num_gpu", "num_batch")),
    (
        "",
        "this server stores no response: what the client sends is the whole conversation",
        ("previous_response_id", "conversation", "store"),
    ),
    ("stream_options", "LM Studio is always asked for the token counts", ("stream_options",)),
)
_FIELDS: dict[str, list[tuple[str, str]]] = {
    name: [(target, reason) for target, reason, names in _REASONS if name in names]
    for _, _, listed in _REASONS
    for name in listed
}
"""The names that LM Studio may have for a client's field, and why each differs; other fields keep their names."""

_ADDED = {
    "stream": _FIELDS["stream"][0][1],
    "stream_options": _FIELDS["stream_options"][0][1],
    "temperature": "SHIM_DEFAULT_TEMPERATURE or the settings of the model's alias",
    "stop": "SHIM_DEFAULT_STOP or the settings of the model's alias",
    "ttl": "SHIM_DEFAULT_TTL_SECONDS",
    "model": "the default model",
}
_PROMPTS = ("messages", "prompt")
_ADDED_ELSE = "a default of this server or of the model's alias"


def request_changes(
    sent: Mapping[str, Any],
    received: Mapping[str, Any],
    dropped: Iterable[str] = (),
    reasons: Mapping[str, str] | None = None,
) -> list[Change]:
    """Return what differs between a client's request and the one that LM Studio receives.

    ``dropped`` are names that were left out on purpose, also inside of fields. ``reasons`` for fields replace those
    that are known here.
    """
    reasons = reasons or {}
    found: list[Change] = []
    used: set[str] = set()
    for field, name, value in _flat(sent):
        target, reason = _counterpart(name, received)
        used.update((name, target))
        change = _difference(name, value, target, received)
        if change:
            found.append(Change(field, change, reasons.get(name) or reason))
    for name, value in received.items():
        if name not in used:
            found.append(Change(name, f"added: {_excerpt(value)}", reasons.get(name) or _ADDED.get(name, _ADDED_ELSE)))
    known = {change.field.removeprefix("options.") for change in found}
    left_out = dict.fromkeys(name for name in dropped if name not in known)
    return found + [Change(name, "left out", reasons.get(name) or _UNKNOWN) for name in left_out]


def prefix_break(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> PrefixBreak | None:
    """Return where the prompt of a chat stops being that of an earlier one; None if it only continues it.

    Most templates write the tools before the conversation.
    """
    tools = ([{"role": "tools", "tools": payload.get("tools")}] for payload in (earlier, later))
    return _first_difference(*tools) or _first_difference(earlier["messages"], later["messages"])


def _first_difference(before: Sequence[Any], now: Sequence[Any]) -> PrefixBreak | None:
    for index, old in enumerate(before):
        new = now[index] if index < len(now) else None
        if old != new:
            one, other = _text(old), _text(new) if new is not None else "(no message)"
            start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)
            start = max(0, start - 40)
            role = new.get("role", "") if isinstance(new, Mapping) else ""
            end = start + _LONGEST_EXCERPT
            return PrefixBreak(index, str(role), one[start:end], other[start:end])
    return None


def _flat(sent: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the fields with their names; those in Ollama's ``options`` as if they stood beside it."""
    for name, value in sent.items():
        if name == "options" and isinstance(value, Mapping):
            yield from ((f"options.{option}", option, each) for option, each in value.items())
        else:
            yield name, name, value


def _counterpart(name: str, received: Mapping[str, Any]) -> tuple[str, str]:
    """Return what LM Studio calls a client's field in this request, and why it may differ.

    Requests that are passed on keep the names that chats are translated from, such as ``input`` and ``store``.
    """
    known = _FIELDS.get(name, [])
    choices = [*known, (name, _UNKNOWN)]
    return next((choice for choice in choices if choice[0] in received), choices[0])


def _difference(name: str, value: Any, target: str, received: Mapping[str, Any]) -> str:
    """Return what happened to a field in words, "" if LM Studio receives it as it is."""
    if target not in received:
        return "" if value is None else "left out"
    if target != name:
        return f"sent as {target}" if target in _PROMPTS else f"sent as {target}: {_excerpt(received[target])}"
    if received[target] == value:
        return ""
    if isinstance(value, list) and isinstance(received[target], list):
        return f"changed: length {len(value)}, now {len(received[target])}"
    return f"changed: {_excerpt(received[target])}"


def _excerpt(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()

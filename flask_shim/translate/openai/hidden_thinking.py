"""Leave the thinking out of a forwarded chat completion."""

from __future__ import annotations

import re
from typing import Any

import orjson

from flask_shim.translate.openai.chat_repairs import ChatRepairer

_EVENT = re.compile(rb".+?(?:\n\n|\r\n\r\n|\Z)", re.S)
_DATA = re.compile(rb"^data: ?(\{.+)$", re.M)
_FIELDS = ("reasoning_content", "reasoning")


class ThinkingRemover(ChatRepairer):
    """Repairs an answer, and removes its thinking."""

    def complete_body(self, body: bytes) -> bytes:
        """Return the body of an answer that is not streamed."""
        repaired = super().complete_body(body)
        value = _without_thinking(repaired)
        return repaired if value is None else orjson.dumps(value)

    def complete_events(self, block: bytes) -> bytes:
        """Return whole events of a stream as far as they are settled."""
        return b"".join(map(_event, _EVENT.findall(super().complete_events(block))))


def _event(raw: bytes) -> bytes:
    """Return an event without thinking, nothing if it had nothing else."""
    data = _DATA.search(raw)
    value = _without_thinking(data[1]) if data else None
    if value is None:
        return raw
    is_empty = not any(choice.get("delta") or choice.get("finish_reason") for choice in value["choices"])
    return b"" if is_empty else b"data: %b\n\n" % orjson.dumps(value)


def _without_thinking(data: bytes) -> dict[str, Any] | None:
    """Return the JSON of an answer without thinking, None if it has none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    choices = value.get("choices") if isinstance(value, dict) else None
    turns = [choice.get(part) for choice in choices or () for part in ("delta", "message")]
    thinking = [turn for turn in turns if isinstance(turn, dict) and any(name in turn for name in _FIELDS)]
    for turn in thinking:
        for name in _FIELDS:
            turn.pop(name, None)
    return value if thinking else None

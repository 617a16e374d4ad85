"""The content blocks of Anthropic's messages as the turns of a chat. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.openai.turns import Turns, image_part, text_part

Block = Mapping[str, Any]


def to_messages(system: Any, messages: Iterable[Mapping[str, Any]]) -> list[Payload]:
    """Return the whole conversation, its system text first; raise Ollama's 400 for blocks that lack something.

    System turns between the others go to the front too: few templates take them anywhere else.
    """
    turns = Turns()
    rest = list(messages)
    turns.system(_texts(_blocks(system)))
    for turn in rest:
        if turn.get("role") == "system":
            turns.system(_texts(_blocks(turn.get("content"))))
    for turn in rest:
        if turn.get("role") != "system":
            _add(turns, turn)
    return turns.messages()


def _add(turns: Turns, turn: Mapping[str, Any]) -> None:
    blocks = _blocks(turn.get("content"))
    if turn.get("role") == "assistant":
        for block in blocks:
            _assistant(turns, block)
        return
    for block in blocks:
        if block.get("type") == "tool_result":
            turns.result(_text(block.get("tool_use_id")), _parts(_blocks(block.get("content"))))
    turns.user(_parts(blocks))


def _assistant(turns: Turns, block: Block) -> None:
    kind = block.get("type")
    if kind == "text":
        turns.assistant(_text(block.get("text")))
    elif kind == "thinking":
        turns.think(_text(block.get("thinking")))
    elif kind == "tool_use":
        _call(turns, block)


def _call(turns: Turns, block: Block) -> None:
    for name in ("id", "name"):
        if not isinstance(block.get(name), str) or not block[name]:
            raise BadRequest(f"tool_use block missing required '{name}' field")
    turns.call(block["id"], block["name"], orjson.dumps(block.get("input") or {}).decode())


def _parts(blocks: Iterable[Block]) -> list[Payload]:
    """Return texts and pictures; what else there may be (documents, search results) a chat has no words for."""
    parts: list[Payload] = []
    for block in blocks:
        if block.get("type") == "text" and block.get("text"):
            parts.append(text_part(_text(block["text"])))
        elif block.get("type") == "image":
            parts.append(_image(block))
    return parts


def _image(block: Block) -> Payload:
    source = block.get("source")
    source = source if isinstance(source, Mapping) else {}
    kind = source.get("type")
    if kind != "base64":
        text = f"invalid image source type: {kind}. Only base64 images are supported."
        raise BadRequest(text, log_text="invalid image source type")
    return image_part(f"data:{_text(source.get('media_type'))};base64,{_text(source.get('data'))}")


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if content is None:
        return []
    if not isinstance(content, list):
        raise BadRequest("content must be a string or an array of blocks")
    return [block for block in content if isinstance(block, Mapping)]


def _texts(blocks: Iterable[Block]) -> str:
    return "\n\n".join(_text(block.get("text")) for block in blocks if block.get("text"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""Translate the content blocks of Anthropic's messages into chat turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.translate.chat_turns import Part, Turn, TurnBuilder, image_part, text_or_empty, text_part

Block = Mapping[str, Any]


def to_turns(system: Any, messages: Iterable[Mapping[str, Any]]) -> list[Turn]:
    """Return the conversation in its order; raise Ollama's 400 for incomplete blocks."""
    turns = TurnBuilder()
    turns.system(_text(system))
    for message in messages:
        _add(turns, message)
    return turns.turns


def _add(turns: TurnBuilder, turn: Block) -> None:
    role, content = turn.get("role"), turn.get("content")
    if role == "system":
        turns.system(_text(content))
        return
    blocks = _blocks(content)
    if role == "assistant":
        for block in blocks:
            kind = block.get("type")
            if kind == "text":
                turns.assistant(text_or_empty(block.get("text")))
            elif kind == "compaction":  # what Anthropic's servers have made of the turns before
                turns.assistant(text_or_empty(block.get("content")))
            elif kind == "thinking":
                turns.think(text_or_empty(block.get("thinking")))
            elif kind == "tool_use":
                _call(turns, block)
        return
    results = [block for block in blocks if block.get("type") == "tool_result"]
    for block in results:
        turns.result(text_or_empty(block.get("tool_use_id")), _parts(block.get("content")))
    parts = _parts(blocks)
    turns.user(parts if parts or results else [text_part("")])  # a turn without content stays one, as in Ollama


def _call(turns: TurnBuilder, block: Block) -> None:
    for name in ("id", "name"):
        if not text_or_empty(block.get(name)):
            raise BadRequest(f"tool_use block missing required '{name}' field")
    turns.call(block["id"], block["name"], orjson.dumps(block.get("input") or {}).decode())


def _parts(content: Any) -> list[Part]:
    """Return texts, images, the texts of documents and search results, and the names of tools that were found."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    parts: list[Part] = []
    for block in _blocks(content):
        kind = block.get("type")
        if kind == "text":
            if text := block.get("text"):
                parts.append(text_part(text_or_empty(text)))
        elif kind == "image":
            parts.append(_image(block))
        elif kind in ("document", "search_result"):
            parts += _document(block)
        elif kind == "tool_reference":  # a result of Claude Code's ToolSearch; the tool is among those of the request
            parts.append(text_part(text_or_empty(block.get("tool_name"))))
    return parts


def _document(block: Block) -> list[Part]:
    """Return the title and the texts of a block; a PDF or a file that Anthropic stores has none, as in Ollama."""
    source = block.get("source")
    holder = source if isinstance(source, dict) else block
    content = holder.get("data") if holder.get("type") == "text" else holder.get("content")
    parts = _parts(content)
    title = text_or_empty(block.get("title"))
    return [text_part(title), *parts] if title and parts else parts


def _image(block: Block) -> Part:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    kind = source.get("type")
    if kind != "base64":
        text = f"invalid image source type: {kind}. Only base64 images are supported."
        raise BadRequest(text, log_text="invalid image source type")
    return image_part(f"data:{text_or_empty(source.get('media_type'))};base64,{text_or_empty(source.get('data'))}")


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if content is None:
        return []
    if not isinstance(content, list):
        raise BadRequest("content must be a string or an array of blocks")
    return [block for block in content if isinstance(block, dict)]


def _text(content: Any) -> str:
    """Return the text of a system prompt."""
    if isinstance(content, str):
        return content
    return "\n\n".join(text_or_empty(block.get("text")) for block in _blocks(content) if block.get("text"))

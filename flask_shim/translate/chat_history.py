"""Repair the history of a chat so that LM Studio and the chat templates of models accept it.

All protocols are repaired here, after they were translated into OpenAI's chat messages. A history that needs no repair
is returned equal to what was given, so that a forwarded request keeps its bytes.

The result for a history is a prefix of the result for its continuation, because prompt caches compare from the start:
ids are made from positions, arguments keep their text, thinking is kept (templates drop what they do not want), and
nothing moves forward over other turns.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask_shim.translate.call_pairing import pair_calls
from flask_shim.translate.chat_turns import Part, Turn, text_part
from flask_shim.translate.ollama.images import ImageConverter, media_type_of

SHOWN_BELOW = "(the picture is in the next message)"
"""The content of a tool result that is only an image."""

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool", "developer": "system"}
"""LM Studio rejects every other role; Ollama accepts any."""

_OLD_THINKING = re.compile(r"^\s*<think>.*?</think>\s*", re.S)

_ALTERNATING = re.compile(r"gemma-?[123]\b|mistral|mixtral|ministral|magistral|devstral", re.I)
"""Families whose templates reject user turns that follow each other, also behind tool results (mistral-vibe#255)."""

_SYSTEM_FIRST = re.compile(rf"qwen-?3\.[5-9]|gpt-oss|minimax|nemotron|deepseek|apriel|{_ALTERNATING.pattern}", re.I)
"""Families whose templates do not write a late system turn at its place.

Qwen's and the alternating ones reject it (opencode#16560), those of gpt-oss, MiniMax M2 and Nemotron Nano drop it,
DeepSeek's move it to the front, and Apriel's repeats all tools with it.
"""

_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?:;[^;,]*)*;base64,", re.I)


def repair_history(turns: Sequence[Turn], model_key: str = "") -> list[Turn]:
    """Return the turns with roles, contents, images, thinking and call ids as LM Studio accepts them.

    System turns at the start are joined, because many templates accept one. Later ones stay at their place: LM Studio
    hands them to the model's template. Where that is known not to write them there, they become part of the turn before
    them; moved to the front, they would invalidate the prompt cache from its first token.
    """
    repaired = [_repair_turn(turn) for turn in turns]
    if any(isinstance(turn.get("content"), list) for turn in repaired):
        images = ImageConverter()
        repaired = list(_move_images_to_user(_repair_parts(turn, images) for turn in repaired))
    repaired = _join_first_system_turns(repaired)
    if any(turn["role"] == "tool" or turn.get("tool_calls") for turn in repaired):
        repaired = pair_calls(repaired)
    return _fit_template(repaired, model_key) if _SYSTEM_FIRST.search(model_key) else repaired


def _repair_turn(turn: Turn) -> Turn:
    """Return a turn with a role and, unless it is a list, a content that LM Studio accepts."""
    given, content = turn.get("role"), turn.get("content")
    role = _ROLES.get(given, "user") if isinstance(given, str) else "user"
    if role != given:
        turn = {**turn, "role": role}
    if content is None and (role == "tool" or turn.get("tool_calls")):
        return {**turn, "content": ""}
    if role == "assistant" and isinstance(content, str) and _OLD_THINKING.match(content):
        # Templates drop old thinking from the content only where they know its tags.
        return {**turn, "content": _OLD_THINKING.sub("", content)}
    return turn


def _repair_parts(turn: Turn, images: ImageConverter) -> Turn:
    """Return a turn with its images as LM Studio accepts them, and as text where that needs no list."""
    content, role = turn.get("content"), turn["role"]
    if not isinstance(content, list):
        return turn
    parts = [_repair_part(part, images) for part in content]
    has_images = role in ("assistant", "tool") and any(map(_is_image, parts))
    repaired = _join_texts(parts) if role in ("system", "tool") and not has_images else parts
    return turn if repaired == content else {**turn, "content": repaired}


def _repair_part(part: Any, images: ImageConverter) -> Any:
    """Return an image part as PNG or JPEG with a true media type, whatever the client's label says."""
    image = part.get("image_url") if isinstance(part, dict) else None
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        return part
    repaired = _repair_data_url(url, images)
    return part if isinstance(image, dict) and repaired == url else {**part, "image_url": {"url": repaired}}


def _repair_data_url(url: str, images: ImageConverter) -> str:
    match = _DATA_URL.match(url)
    if match is None:
        return url  # LM Studio's error names what is wrong
    try:
        if media_type_of(url, match.end()) == match["type"]:
            return url
        picture = url[match.end() :]
        base64.b64decode(picture, validate=True)
    except binascii.Error:
        return url
    return images.to_data_url(picture) if picture else url


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and "image_url" in part


def _join_texts(parts: Iterable[Any]) -> str:
    """Return the texts of a content list: system and tool messages must have a string."""
    return "".join(str(part.get("text") or "") if isinstance(part, dict) else str(part) for part in parts)


def _join_first_system_turns(turns: list[Turn]) -> list[Turn]:
    end = next((at for at, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
    texts = [turn.get("content") for turn in turns[:end]]
    if end < 2 or not all(isinstance(text, str) for text in texts):
        return turns
    return [{**turns[0], "content": "\n\n".join(filter(None, texts))}, *turns[end:]]


def _fit_template(turns: Iterable[Turn], model_key: str) -> list[Turn]:
    """Join late system turns, and in alternating families user turns, to the turn of user or tool before them.

    As a user turn of its own behind tool results, a system turn would make templates drop the thinking before it.
    """
    is_alternating = _ALTERNATING.search(model_key) is not None
    fitted: list[Turn] = []
    for turn in turns:
        is_late_system = bool(fitted) and turn["role"] == "system"
        if is_late_system or (is_alternating and turn["role"] == "user"):
            content = _joined_content(fitted[-1], turn) if fitted else None
            if content is not None:
                fitted[-1] = {**fitted[-1], "content": content}
                continue
        fitted.append({**turn, "role": "user"} if is_late_system else turn)
    return fitted


def _joined_content(earlier: Turn, later: Turn) -> Any:
    """Return the content of both turns, None if they cannot be joined: only user turns may have images."""
    first, second = earlier.get("content"), later.get("content")
    if earlier["role"] == "tool" and isinstance(second, list) and not any(map(_is_image, second)):
        second = _join_texts(second)
    if isinstance(first, str) and isinstance(second, str) and earlier["role"] in ("user", "tool"):
        return "\n\n".join(filter(None, (first, second)))
    return [*_as_parts(first), *_as_parts(second)] if earlier["role"] == "user" else None


def _move_images_to_user(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Yield the turns; images of tools and assistants go to the user, from whom alone LM Studio accepts them.

    They are added to the next user turn, or to one that is inserted behind all results that stand together.
    """
    waiting: list[Part] = []
    for turn in turns:
        if turn["role"] == "user":
            yield {**turn, "content": [*waiting, *_as_parts(turn.get("content"))]} if waiting else turn
            waiting = []
            continue
        if waiting and turn["role"] != "tool":
            yield {"role": "user", "content": waiting}
            waiting = []
        content = turn.get("content")
        images = [part for part in content if _is_image(part)] if isinstance(content, list) else []
        if turn["role"] == "system" or not images:
            yield turn
            continue
        text = _join_texts(part for part in content or () if not _is_image(part))
        yield {**turn, "content": text or (SHOWN_BELOW if turn["role"] == "tool" else "")}
        waiting += images
    if waiting:
        yield {"role": "user", "content": waiting}


def _as_parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [text_part(content)] if content else []

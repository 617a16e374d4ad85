"""Translate the messages of Ollama's API into chat turns."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from flask_shim.translate.chat_history import repair_history
from flask_shim.translate.chat_turns import Turn, image_part, text_part
from flask_shim.translate.ollama.images import ImageConverter
from flask_shim.translate.ollama.requests import Message


def to_messages(messages: Iterable[Message], model_key: str = "") -> list[Turn]:
    """Return the history for LM Studio: string contents, call ids everywhere, images as data URLs."""
    images = ImageConverter()
    turns = repair_history([_to_turn(message, images) for message in messages], model_key)
    # Names have paired the results of clients that send no ids.
    return [{field: value for field, value in turn.items() if field != "name"} for turn in turns]


def _to_turn(message: Message, images: ImageConverter) -> Turn:
    turn: Turn = {"role": message.role, "content": message.content}
    if message.images:
        text = [text_part(message.content)] if message.content else []
        turn["content"] = [*text, *(image_part(images.to_data_url(image)) for image in message.images)]
    if message.role == "tool":
        turn |= {"tool_call_id": message.tool_call_id, "name": message.tool_name}
    if message.role == "assistant" and message.thinking:
        turn["reasoning_content"] = message.thinking
    if message.role == "assistant" and message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
    return turn

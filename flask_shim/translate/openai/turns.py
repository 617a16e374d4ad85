"""A conversation in OpenAI's shape, put together from protocols that cut it into other pieces. Pure."""

from __future__ import annotations

from typing import Any

from flask_shim.translate.ollama.messages import SHOWN_BELOW
from flask_shim.translate.ollama.payloads import Payload


def text_part(text: str) -> Payload:
    """Return a part of a message that is text."""
    return {"type": "text", "text": text}


def image_part(url: str) -> Payload:
    """Return a part of a message that is a picture; ``url`` is a data URL, or LM Studio refuses it."""
    return {"type": "image_url", "image_url": {"url": url}}


class Turns:
    """Add what was said in its order; what belongs to one turn of the assistant becomes one."""

    def __init__(self) -> None:
        """Start before the first turn."""
        self._messages: list[Payload] = []
        self._thoughts: list[str] = []
        self._pictures: list[Payload] = []

    def system(self, text: str) -> None:
        """Add a system text. Those at the beginning become one: many templates take one, and only there."""
        if not text:
            return
        self._interrupt()
        if len(self._messages) == 1 and self._messages[0]["role"] == "system":
            self._messages[0]["content"] += f"\n\n{text}"
        else:
            self._messages.append({"role": "system", "content": text})

    def user(self, parts: list[Payload]) -> None:
        """Add what the user said; nothing said is no turn."""
        parts, self._pictures = [*self._pictures, *parts], []
        self._thoughts.clear()
        if parts:
            self._messages.append({"role": "user", "content": _content(parts)})

    def think(self, text: str) -> None:
        """Add thinking; it goes with the assistant's next words or calls, and nowhere without them."""
        if text:
            self._thoughts.append(text)

    def assistant(self, text: str) -> None:
        """Add words of the assistant."""
        if text:
            turn = self._assistant_turn()
            turn["content"] = f"{turn['content']}\n{text}" if turn["content"] else text

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """Add a tool call; ``arguments`` is JSON text."""
        function = {"name": name, "arguments": arguments or "{}"}
        calls: list[Payload] = self._assistant_turn().setdefault("tool_calls", [])
        calls.append({"id": call_id, "type": "function", "function": function})

    def result(self, call_id: str, parts: list[Payload]) -> None:
        """Add what a tool returned; its pictures follow in a user turn behind all results."""
        self._thoughts.clear()
        texts = [part["text"] for part in parts if part["type"] == "text"]
        pictures = [part for part in parts if part["type"] != "text"]
        self._pictures += pictures
        text = "\n".join(texts) or (SHOWN_BELOW if pictures else "")
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def messages(self) -> list[Payload]:
        """Return the whole conversation."""
        self._interrupt()
        return self._messages

    def _interrupt(self) -> None:
        self.user([])

    def _assistant_turn(self) -> Payload:
        """Return the turn to add to, with the thinking that led to it."""
        thoughts = self._thoughts[:]
        if not self._messages or self._messages[-1]["role"] != "assistant" or self._pictures:
            self._interrupt()
            self._messages.append({"role": "assistant", "content": ""})
        self._thoughts.clear()
        turn = self._messages[-1]
        if thoughts:
            # The name under which engines give thinking; templates that want it back look for it there.
            turn["reasoning_content"] = "\n".join([*filter(None, [turn.get("reasoning_content")]), *thoughts])
        return turn


def _content(parts: list[Payload]) -> Any:
    """Return the parts as one text where they are nothing else: some templates take only that."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts

"""The turns of a chat: OpenAI's chat messages, into which every protocol is translated first."""

from __future__ import annotations

from typing import Any

Turn = dict[str, Any]
"""One chat message: ``role``, ``content`` and what belongs to the role. Unknown fields are kept."""

Part = dict[str, Any]
"""One element of a content list."""

SYSTEM_ROLES = ("system", "developer")
"""OpenAI's newer models have the second one."""


def text_or_empty(value: Any) -> str:
    """Return a value of a client's JSON if it is a text, else ""."""
    return value if isinstance(value, str) else ""


def text_part(text: str) -> Part:
    """Return a content part with a text."""
    return {"type": "text", "text": text}


def image_part(url: str) -> Part:
    """Return a content part with an image; LM Studio requires a data URL."""
    return {"type": "image_url", "image_url": {"url": url}}


class TurnBuilder:
    """Collect turns from protocols whose items and blocks are smaller than a turn."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._thoughts: list[str] = []

    def system(self, text: str) -> None:
        """Add a system turn."""
        if text:
            self._thoughts.clear()
            self.turns.append({"role": "system", "content": text})

    def user(self, parts: list[Part]) -> None:
        """Add a user turn unless ``parts`` is empty."""
        self._thoughts.clear()
        if parts:
            self.turns.append({"role": "user", "content": _content(parts)})

    def think(self, text: str) -> None:
        """Keep thinking for the next text or call of the assistant; without one it is dropped."""
        if text:
            self._thoughts.append(text)

    def assistant(self, text: str) -> None:
        """Add text to the assistant's turn."""
        if text:
            turn = self._assistant_turn()
            turn["content"] = f"{turn['content']}\n{text}" if turn["content"] else text

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """Add a tool call to the assistant's turn; ``arguments`` is JSON text."""
        function = {"name": name, "arguments": arguments}
        calls: list[Part] = self._assistant_turn().setdefault("tool_calls", [])
        calls.append({"id": call_id, "type": "function", "function": function})

    def result(self, call_id: str, parts: list[Part]) -> None:
        """Add the result of a tool call."""
        self._thoughts.clear()
        self.turns.append({"role": "tool", "tool_call_id": call_id, "content": _content(parts)})

    def _assistant_turn(self) -> Turn:
        """Return the assistant's current turn, or a new one, with the thinking that preceded this item."""
        if not self.turns or self.turns[-1]["role"] != "assistant":
            self.turns.append({"role": "assistant", "content": ""})
        turn = self.turns[-1]
        if self._thoughts:
            # The field from which chat templates read thinking.
            turn["reasoning_content"] = "\n".join([*filter(None, [turn.get("reasoning_content")]), *self._thoughts])
            self._thoughts.clear()
        return turn


def _content(parts: list[Part]) -> Any:
    """Return texts as one string, because some templates accept nothing else."""
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(texts) if len(texts) == len(parts) else parts

"""Join the pieces of an answer that is not streamed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_shim.translate.answer.answer_reader import (
    ANSWER_HEAD,
    THINKING_HEAD,
    Piece,
    ReasoningMode,
    RetractedText,
)
from flask_shim.translate.answer.tool_calls import FinishedCall


class FullAnswer:
    """An answer to which pieces are added."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self.calls: list[FinishedCall] = []
        self.logprobs: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._texts)

    @property
    def thinking(self) -> str:
        """All thinking so far."""
        return "".join(self._thoughts)

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add pieces in their order."""
        for piece in pieces:
            if isinstance(piece, RetractedText):
                self._retract_text(piece.mode)
                continue
            self._texts.append(piece.text)
            self._thoughts.append(piece.thinking)
            self.calls.extend(piece.calls)
            self.logprobs.extend(piece.logprobs or ())

    def _retract_text(self, mode: ReasoningMode) -> None:
        """Move the text so far to where thinking belongs."""
        thought, self._texts = self.text.rstrip(), []
        if mode == "separate":
            self._thoughts.append(thought)
        elif mode == "merge":
            self._texts.append(f"{THINKING_HEAD}{thought}{ANSWER_HEAD}")

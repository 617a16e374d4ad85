"""A document to train on: pieces of text, some of them to be learned."""

from __future__ import annotations


class Doc:
    """A list of (text, learn?) pieces; specials may stand in the text."""

    def __init__(self) -> None:
        """Start empty."""
        self.parts: list[tuple[str, bool]] = []

    def add(self, text: str, *, learn: bool = False) -> Doc:
        """Add a piece."""
        self.parts.append((text, learn))
        return self

    def turn(self, role: str, text: str) -> Doc:
        """Add a turn of another role."""
        return self.add(f"<|im_start|>{role}\n{text}<|im_end|>\n")

    def answer(self, text: str, *, end: bool = True, think: str | None = None) -> Doc:
        """Add the model's turn. ``think`` is a thought, None for a model that has none, or "" if it is switched off."""
        self.add("<|im_start|>assistant\n")
        if think == "":
            self.add("<think>\n\n</think>\n\n")
        elif think:
            # The template opens the thought.
            self.add("<think>\n").add(f"{think}\n</think>\n\n", learn=True)
        self.add(text + ("<|im_end|>" if end else ""), learn=True)
        if end:
            self.add("\n")
        return self

"""Separate the thinking that a backend left inside the text while it streams."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

PAIRS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel>thought", "<channel|>"),
)
"""The tags that models put around their thinking, at the very start of an answer.

The last pair is Gemma 4's (lmstudio-bug-tracker#2115).
"""

_CLOSINGS = tuple(closing for _, closing in PAIRS)
_TAGS = tuple(tag for pair in PAIRS for tag in pair)
_TAG_STARTS, _CLOSING_STARTS = (
    {tag[:size] for tag in tags for size in range(len(tag) + 1)} for tags in (_TAGS, _CLOSINGS)
)
_TAG = re.compile("|".join(map(re.escape, _TAGS)))
_CLOSING_RUN = re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, _CLOSINGS))}))*")

_QUOTES = ("`", '"', "'", "\N{LEFT DOUBLE QUOTATION MARK}", "\N{LEFT SINGLE QUOTATION MARK}", "«")
_DATA = ("{", "[")


class Part(NamedTuple):
    """A stretch of text. ``orphan`` says that all text before this part turns out to have been thinking."""

    text: str
    is_thinking: bool = False
    orphan: bool = False


def partial_tag(text: str, tags: tuple[str, ...]) -> int:
    """Return how many characters at the end of ``text`` may begin one of ``tags``."""
    longest = min(len(text), max(map(len, tags)) - 1)
    for size in range(longest, 0, -1):
        if any(tag.startswith(text[-size:]) for tag in tags):
            return size
    return 0


class ThinkingSplitter:
    """Splits text that arrives in events into settled parts, without the tags.

    A closing tag without an opening one ends thinking too, but only once, and only ``with_orphans``. It is text where
    a model cannot think or has thought already, behind a quotation mark or an opening tag, and in an answer that
    begins like JSON.
    """

    __slots__ = ("_before", "_blanks", "_close", "_has_begun", "_held", "_orphans", "_state")

    def __init__(self, *, with_orphans: bool = True) -> None:
        self._state: Literal["start", "thinking", "gap", "answer"] = "start"
        self._held = ""
        self._blanks: list[str] = []  # what is held while it is only white space, in its events
        self._close = ""
        self._has_begun = False  # whether there was any thought behind the opening tag
        self._orphans = with_orphans
        self._before = ""  # the end of the answer so far

    def feed(self, text: str) -> list[Part]:
        """Return what ``text`` settles; the rest is kept for the next call."""
        if self.passes(text):
            return [Part(text)]
        if not self._held and self._state in ("start", "thinking") and text.isspace():
            self._blanks.append(text)  # joining at every event would take quadratic time
            return []
        parts: list[Part] = []
        self._join(text)
        while self._held:
            before = (self._state, len(self._held))
            self._advance(parts)
            if before == (self._state, len(self._held)):
                break  # until more text arrives
        if self._held.isspace():
            self._blanks, self._held = [self._held], ""
        return parts

    def passes(self, text: str) -> bool:
        """Return whether ``text`` is only answer; then it needs no :meth:`feed`."""
        if self._state != "answer" or self._held or "<" in text or "[" in text:
            return False
        self._before = text
        return True

    def flush(self) -> list[Part]:
        """Return what is left when the answer is over."""
        self._join("")
        rest, self._held = self._held, ""
        if self._state == "thinking":
            rest = rest.rstrip()
        return [Part(rest, self._state == "thinking")] if rest else []

    def skip_thinking(self) -> None:
        """Expect the answer next, because the thinking arrived in a field of its own."""
        self._orphans = False
        if self._state == "start":
            self._state = "gap"

    def _join(self, text: str) -> None:
        self._held = "".join([*self._blanks, self._held, text])
        self._blanks.clear()

    def _advance(self, parts: list[Part]) -> None:
        """Add what can be settled in the present state, or go on to the next one."""
        if self._state == "start":
            self._look_for_opening()
        elif self._state == "thinking":
            self._look_for_closing(parts)
        elif self._state == "gap":
            self._skip_gap()
        else:
            self._look_for_orphan(parts)

    def _look_for_opening(self) -> None:
        text = self._held.lstrip()
        for opening, closing in PAIRS:
            if text.startswith(opening):
                self._state, self._close = "thinking", closing
                self._held = text[len(opening) :]
                return
        if text in _TAG_STARTS:
            return  # perhaps the beginning of a tag
        self._skip_gap()

    def _look_for_closing(self, parts: list[Part]) -> None:
        if not self._has_begun:
            self._held = self._held.lstrip()
        thought, closing, rest = self._held.partition(self._close)
        if closing:
            self._state, self._held = "gap", rest
            self._orphans = False
            thought = thought.rstrip()
        else:
            settled = thought[: len(thought) - partial_tag(thought, (self._close,))].rstrip()
            self._held = thought[len(settled) :]
            thought = settled
        if thought:
            self._has_begun = True
            parts.append(Part(thought, is_thinking=True))

    def _skip_gap(self) -> None:
        """Drop the white space between thinking and answer, and closing tags that are repeated."""
        run = _CLOSING_RUN.match(self._held)  # all at once: one by one, each copies the rest of the text
        if run is not None and run.end():
            self._state, self._held = "gap", self._held[run.end() :]
        text = self._held.lstrip()
        if self._state == "gap":
            self._held = text
        if text not in _CLOSING_STARTS:
            self._state = "answer"
            self._orphans = self._orphans and not text.startswith(_DATA)

    def _look_for_orphan(self, parts: list[Part]) -> None:
        text = self._held
        if self._orphans:
            tag = _TAG.search(text)
            if tag is None:
                text = text[: len(text) - partial_tag(text, _TAGS)]
            elif tag[0] in _CLOSINGS and not (self._before + text[: tag.start()]).endswith(_QUOTES):
                parts.append(Part(text[: tag.start()], orphan=True))
                self._state, self._held, self._orphans = "gap", text[tag.end() :], False
                return
            else:
                self._orphans = False  # the text is about such tags
        self._held = self._held[len(text) :]
        if text:
            self._before = text
            parts.append(Part(text))

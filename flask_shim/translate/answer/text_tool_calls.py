"""Tool calls that a model wrote as text and the backend did not recognize.

Only calls of tools that this request offered are taken out of the text; everything else stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from flask_shim.translate.answer.call_forms import FORMS, NOT_IN_FORM, Form
from flask_shim.translate.answer.thinking import partial_tag
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.tool_schemas import ToolSchemas

MAX_CALL_CHARACTERS = 256 * 1024
"""A longer text after an opening tag is not read as a call."""

_OPENINGS = tuple(form.opening for form in FORMS)
_OPENING = re.compile("|".join(map(re.escape, _OPENINGS)))
_FORM_BY_OPENING = {form.opening: form for form in FORMS}


class Stretch(NamedTuple):
    """A stretch of the text; ``calls`` are those that it was read as."""

    text: str
    calls: tuple[FinishedCall, ...] = ()


class TextCalls:
    """Finds calls in text that arrives in events."""

    __slots__ = ("_end", "_form", "_held", "_new_id", "_offered", "_size")

    def __init__(self, offered: ToolSchemas, new_id: Callable[[], str]) -> None:
        """Look for calls of the tools that were ``offered``."""
        self._offered = offered
        self._new_id = new_id
        self._held: list[str] = []
        self._size = 0  # of what is held
        self._form: Form | None = None  # of the call that has begun there
        self._end = ""  # the end of what is held, in which the closing tag may have begun

    @property
    def is_holding(self) -> bool:
        """Whether a call may have begun."""
        return bool(self._held)

    def feed(self, text: str) -> list[Stretch]:
        """Return what is settled: text, and calls that are complete."""
        if not self._held and "<" not in text and "[" not in text:
            return [Stretch(text)]
        self._held.append(text)
        self._size += len(text)
        if self._form is not None and self._size < MAX_CALL_CHARACTERS:
            # Join only when the call ends: joining at every event would take quadratic time.
            closing, end = self._form.closing, self._end + text
            if not closing or closing not in end:
                self._end = end[max(0, len(end) - len(closing) + 1) :]
                return []
        return self._settle("".join(self._held))

    def flush(self) -> list[Stretch]:
        """Return what is left when the answer is over; the closing tag of a call may be missing then."""
        text, form = "".join(self._held), self._form
        self._hold("", None)
        if form is None:
            return [Stretch(text)] if text else []
        end = len(text) - partial_tag(text, (form.closing,))
        start, calls = self._read(form, text, 0, end)
        return [stretch for stretch in (Stretch(text[:start]), Stretch(text[start:], calls)) if stretch.text]

    def _hold(self, text: str, form: Form | None) -> None:
        """Keep text that may become a call, or with ``form`` has begun one."""
        self._held = [text] if text else []
        self._size = len(text)
        self._form = form
        self._end = text[len(form.opening) :] if form else ""

    def _settle(self, text: str) -> list[Stretch]:
        stretches: list[Stretch] = []
        shown = at = 0  # where the text begins that is not yet returned, and that is not yet searched
        while (tag := _OPENING.search(text, at)) is not None:
            form = _FORM_BY_OPENING[tag[0]]
            limit = tag.start() + MAX_CALL_CHARACTERS
            closing = text.find(form.closing, tag.end(), limit) if form.closing else -1
            if closing < 0 and len(text) < limit:
                end = tag.start()
                self._hold(text[end:], form)
                break
            at = limit if closing < 0 else closing + len(form.closing)
            start, calls = self._read(form, text, tag.start(), closing) if closing >= 0 else (at, ())
            if calls:
                stretches += [Stretch(text[shown:start]), Stretch(text[start:at], calls)]
                shown = at
        else:
            end = max(at, len(text) - partial_tag(text, _OPENINGS))
            self._hold(text[end:], None)
        stretches.append(Stretch(text[shown:end]))
        return [stretch for stretch in stretches if stretch.text]

    def _read(self, form: Form, text: str, start: int, end: int) -> tuple[int, tuple[FinishedCall, ...]]:
        """Return the calls that end at ``end``, and where they begin: at the first opening tag, or else at the last."""
        calls = self._parse(form, text[start + len(form.opening) : end])
        if not calls and (last := text.rfind(form.opening, start, end)) > start:
            start, calls = last, self._parse(form, text[last + len(form.opening) : end])
        return start, calls

    def _parse(self, form: Form, body: str) -> tuple[FinishedCall, ...]:
        """Return the calls in ``body``, () unless it is wholly understood and every tool was offered."""
        try:
            written = form.parse(body)
        except NOT_IN_FORM:
            return ()
        named = [(name, call) for call in written if (name := self._offered.name_of(call.name))]
        if len(named) < len(written):
            return ()
        typed = self._offered.typed_arguments
        return tuple(FinishedCall(self._new_id(), name, typed(name, call)) for name, call in named)


class TrailingCalls:
    """Finds calls at the very end of the thinking, where Qwen 3.5 writes some of them (langchain4j#4786).

    A call that is followed by more thinking, or by an answer, was only thought about.
    """

    __slots__ = ("_finder", "_held")

    def __init__(self, finder: TextCalls) -> None:
        self._finder = finder
        self._held: list[Stretch] = []  # calls, and the white space behind them

    def feed(self, text: str) -> str:
        """Return the thinking that is settled."""
        return self._settle(self._finder.feed(text))

    @property
    def is_holding(self) -> bool:
        """Whether a call may have begun."""
        return bool(self._held or self._finder.is_holding)

    def finish(self) -> tuple[str, list[Stretch]]:
        """Return the rest of the thinking, and the calls at its end with their text."""
        text = self._settle(self._finder.flush())
        held, self._held = self._held, []
        return text, held

    def _settle(self, stretches: list[Stretch]) -> str:
        settled: list[str] = []
        for stretch in stretches:
            if stretch.calls or (self._held and stretch.text.isspace()):
                self._held.append(stretch)
            else:
                settled += [held.text for held in self._held]
                settled.append(stretch.text)
                self._held.clear()
        return "".join(settled)

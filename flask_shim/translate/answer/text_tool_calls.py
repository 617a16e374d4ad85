"""Tool calls that a model wrote as text and the backend did not recognise.

Only calls of tools that this very request offered are taken out of the text; all else was meant to be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from flask_shim.translate.answer.thinking import partial_tag
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.tool_schemas import ToolSchemas
from flask_shim.translate.answer.xml_arguments import parse_pairs, parse_parameters, skip_space

MAX_CALL_CHARACTERS = 256 * 1024
"""Text that goes on for longer after an opening tag is not read as a call."""


class Written(NamedTuple):
    """A call as it was written. In forms without JSON all arguments are text; only their tool knows what they mean."""

    name: str
    arguments: Mapping[str, Any]
    is_text: bool = False


Parsed = list[Written]


def _json_calls(text: str) -> Parsed:
    value = orjson.loads(text)
    return [_json_call(item) for item in (value if isinstance(value, list) else [value])]


def _json_call(item: Any) -> Written:
    arguments = item.get("arguments", item.get("parameters")) or {}
    if not isinstance(item["name"], str):
        raise ValueError("no name")
    return Written(item["name"], _arguments(arguments) if isinstance(arguments, str) else _mapping(arguments))


def _arguments(text: str) -> Mapping[str, Any]:
    return _mapping(orjson.loads(text))


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("arguments are an object")
    return value


def _xml_call(text: str) -> Parsed:
    name, _, body = text.partition(">")
    return [Written(name.strip(), parse_parameters(body), is_text=True)]


def _pairs_call(text: str) -> Parsed:
    start = text.find("<arg_key>")
    return [Written(text[:start].strip(), parse_pairs(text[start:]), is_text=True)]


def _hermes(text: str) -> Parsed:
    inner = text.strip()
    if "<arg_key>" in inner and not inner.startswith(("{", "[")):
        return _pairs_call(inner)
    if inner.startswith("<function="):
        return _xml_call(inner.removeprefix("<function=").removesuffix("</function>"))
    return _json_calls(inner)


def _mistral(text: str) -> Parsed:
    if "[ARGS]" not in text:
        return _json_calls(text)
    pairs = (call.partition("[ARGS]") for call in text.split("[TOOL_CALLS]"))
    # A model may write "[CALL_ID]<id>" behind the name.
    return [Written(name.partition("[CALL_ID]")[0].strip(), _arguments(arguments)) for name, _, arguments in pairs]


def _harmony(text: str) -> Parsed:
    name = re.match(r"\s*([\w.-]+)", text)
    if name is None:
        raise ValueError("no name")
    return [Written(name[1], _arguments(text.partition("<|message|>")[2]))]


_FORMS: tuple[tuple[str, str, Callable[[str], Parsed]], ...] = (
    ("<tool_call>", "</tool_call>", _hermes),
    ("[TOOL_REQUEST]", "[END_TOOL_REQUEST]", _json_calls),
    ("<function=", "</function>", _xml_call),
    ("[TOOL_CALLS]", "", _mistral),
    ("<|channel|>commentary to=functions.", "<|call|>", _harmony),
)
"""Opening, closing (or the end of the answer), and how to read what stands between."""

_OPENINGS = tuple(opening for opening, _, _ in _FORMS)
_OPENING = re.compile("|".join(map(re.escape, _OPENINGS)))
_TAG_START = re.compile(r"(?=[<\[])")
_FORM_BY_OPENING = {form[0]: form for form in _FORMS}


class TextCalls:
    """Finds calls written into the text; only those of tools that were offered count, all else stays text."""

    __slots__ = ("_after_call", "_form", "_held", "_new_id", "_offered", "_searched")

    def __init__(self, offered: ToolSchemas, new_id: Callable[[], str]) -> None:
        """Look for calls of the tools that were ``offered``."""
        self._offered = offered
        self._new_id = new_id
        self._held = ""
        self._searched = 0  # where in the held text the search for the closing tag goes on
        self._after_call = False  # white space that follows a call is dropped
        self._form: tuple[str, str, Callable[[str], Parsed]] | None = None

    @property
    def held(self) -> int:
        """How many characters are held back because a call may begin in them."""
        return len(self._held)

    def feed(self, text: str) -> tuple[str, list[FinishedCall]]:
        """Return the text that certainly is text, and the calls that are complete."""
        if not self._held and not self._after_call and "<" not in text and "[" not in text:
            return text, []
        self._held += text
        shown: list[str] = []
        calls: list[FinishedCall] = []
        at, after = 0, self._step(0, shown, calls)
        while after > at:
            at, after = after, self._step(after, shown, calls)
        self._held = self._held[at:]
        return "".join(shown), calls

    def flush(self) -> tuple[str, list[FinishedCall]]:
        """Return what is left when the answer is over."""
        stack, self._held = self._held, ""
        if self._form is None:
            return stack, []
        opening, closing, _ = self._form
        calls = self._read(stack.removeprefix(opening).removesuffix(closing))
        self._form = None
        return ("", calls) if calls else (stack, [])

    def _step(self, at: int, shown: list[str], calls: list[FinishedCall]) -> int:
        """Settle held text from ``at`` on; return where the unsettled text begins, ``at`` when more text is needed."""
        if self._form is None:
            at = self._open(at, shown)
            if self._form is None:
                return at
        opening, closing, _ = self._form
        limit = at + MAX_CALL_CHARACTERS
        start = at + len(opening)
        found = self._held.find(closing, max(start, at + self._searched), limit) if closing else -1
        if found < 0 and len(self._held) < limit:
            self._searched = max(0, len(self._held) - at - len(closing) + 1)
            return at
        end = limit if found < 0 else found + len(closing)
        read = self._read(self._held[start:found]) if found >= 0 else []
        if read:
            calls.extend(read)
        else:
            shown.append(self._held[at:end])
        self._after_call = bool(read)
        self._form = None
        return end

    def _open(self, at: int, shown: list[str]) -> int:
        """Show the text up to the next opening tag; return where that tag, or what may become one, begins."""
        if self._after_call:
            at = skip_space(self._held, at)
            self._after_call = at == len(self._held)
        tag = _OPENING.search(self._held, at)
        if tag is None:
            end = max(at, len(self._held) - partial_tag(self._held, _OPENINGS))
        else:
            end, self._form, self._searched = tag.start(), _FORM_BY_OPENING[tag[0]], 0
        shown.append(self._held[at:end])
        return end

    def _read(self, text: str) -> list[FinishedCall]:
        """Return the calls in ``text``, none unless it is wholly understood and every tool was offered."""
        if self._form is None:
            return []
        try:
            parsed = self._form[2](text)
        except (ValueError, KeyError, TypeError, AttributeError):
            return []
        named = [(self._offered.name_of(call.name), call) for call in parsed]
        if any(name is None for name, _ in named):
            return []
        return [FinishedCall(self._new_id(), name, self._arguments(name, call)) for name, call in named if name]

    def _arguments(self, name: str, call: Written) -> Mapping[str, Any]:
        return self._offered.typed(name, call.arguments) if call.is_text else call.arguments


class TrailingCalls:
    """Finds calls at the end of the thinking, where Qwen 3.5 writes them. A call that text follows is thinking."""

    __slots__ = ("_calls", "_finder", "_held")

    def __init__(self, offered: ToolSchemas, new_id: Callable[[], str]) -> None:
        """Look for calls of the tools that were ``offered``."""
        self._finder = TextCalls(offered, new_id)
        self._held: list[str] = []
        self._calls: list[FinishedCall] = []

    def feed(self, text: str) -> str:
        """Return the thinking in which no call at the end can begin; the rest is kept."""
        if not self._held and "<" not in text and "[" not in text:
            return text
        thinking = []
        for chunk in filter(None, _TAG_START.split(text)):  # a chunk completes a call before it has text, never after
            self._held.append(chunk)
            shown, calls = self._finder.feed(chunk)
            self._calls += calls
            if shown.strip():
                thinking.append(self._release())
        return "".join(thinking)

    def release(self) -> str:
        """Return all that is held: text follows, so it is thinking."""
        self._finder.flush()
        return self._release()

    def flush(self) -> tuple[str, list[FinishedCall]]:
        """Return what is held when the thinking ends the answer: thinking or calls."""
        text, calls = self._finder.flush()
        calls = self._calls + calls
        return ("", calls) if calls and not text.strip() else (self._release(), [])

    def _release(self) -> str:
        held = "".join(self._held)
        end = len(held) - self._finder.held
        self._held = [held[end:]] if end < len(held) else []
        self._calls.clear()
        return held[:end]

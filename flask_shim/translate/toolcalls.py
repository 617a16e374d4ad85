"""Tool calls of an answer, put together from the fragments in which they stream. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from flask_shim.errors import BackendBroke
from flask_shim.lmstudio.events import CallDelta


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """One complete call. ``arguments`` is the object the model wrote, key order kept."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(slots=True)
class _Fragments:
    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    arguments: Mapping[str, Any] | None = None


class CallAssembler:
    """Collects fragments by index; ids and names come with the first one, arguments in any number of pieces."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        """Start without calls."""
        self._calls: list[_Fragments] = []

    def __bool__(self) -> bool:
        """Tell whether any fragment came."""
        return bool(self._calls)

    def add(self, delta: CallDelta) -> None:
        """Take one fragment."""
        call = self._find(delta)
        function = delta.function
        call.id = call.id or delta.id or ""
        if function is None:
            return
        call.name = call.name or function.name or ""
        if isinstance(function.arguments, str):
            call.pieces.append(function.arguments)
        elif isinstance(function.arguments, Mapping):
            call.arguments = function.arguments

    def finish(self, *, was_cut: bool, offered: Iterable[str], new_id: Callable[[], str]) -> tuple[FinishedCall, ...]:
        """Return the calls. Arguments that are no JSON object drop theirs if the answer ``was_cut``, else are an error.

        ``offered`` are the client's names for its tools, ``new_id`` makes an id where the backend gave none.
        """
        names = by_loose_name(offered)
        finished: list[FinishedCall] = []
        ids: set[str] = set()
        for call in self._calls:
            arguments = call.arguments if call.arguments is not None else _object("".join(call.pieces))
            if arguments is None:
                if was_cut:
                    continue
                text = "".join(call.pieces)[:200]
                raise BackendBroke(f"the model called {call.name!r} with arguments that are not a JSON object: {text}")
            number = call.id if call.id and call.id not in ids else new_id()
            ids.add(number)
            finished.append(FinishedCall(number, names.get(loose(call.name), call.name), arguments))
        return tuple(finished)

    def _find(self, delta: CallDelta) -> _Fragments:
        last = self._calls[-1] if self._calls else None
        if delta.index is None:
            known = last if last is not None and (not delta.id or delta.id == last.id) else None
        else:
            known = next((call for call in reversed(self._calls) if call.index == delta.index), None)
            # Some engines number every call 0: a new id with a new name begins a new call.
            if known is not None and delta.id and known.id and delta.id != known.id and _name(delta):
                known = None
        if known is None:
            known = _Fragments(delta.index)
            self._calls.append(known)
        return known


def _name(delta: CallDelta) -> str:
    return (delta.function.name if delta.function else None) or ""


def _object(text: str) -> Mapping[str, Any] | None:
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
        if isinstance(value, str):  # encoded twice
            value = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def loose(name: str) -> str:
    """Return what is left of a tool name when LM Studio has normalised it: letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def by_loose_name(offered: Iterable[str]) -> dict[str, str]:
    """Return the names the client gave its tools by their loose form: the model may have seen snake_case ones."""
    return {loose(name): name for name in offered}

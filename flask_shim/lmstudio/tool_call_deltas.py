"""Tool calls put together from the fragments in which they stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import CallDelta


@dataclass(slots=True)
class PartialToolCall:
    """What has come of one call: its arguments as pieces of JSON text or, from some engines, as an object."""

    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    arguments: Mapping[str, Any] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the arguments are whole already, so that more of them must be another call's."""
        return self.arguments is not None or _is_json(self.text)

    @property
    def text(self) -> str:
        """The pieces of the arguments in one."""
        return "".join(self.pieces)


class ToolCallDeltas:
    """Collects fragments by index; ids and names come with the first one, arguments in any number of pieces."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        """Start without calls."""
        self._calls: list[PartialToolCall] = []

    def __bool__(self) -> bool:
        """Tell whether any fragment came."""
        return bool(self._calls)

    def __iter__(self) -> Iterator[PartialToolCall]:
        """Iterate over the calls in the order they began."""
        return iter(self._calls)

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

    def _find(self, delta: CallDelta) -> PartialToolCall:
        known = next((call for call in reversed(self._calls) if delta.index in (None, call.index)), None)
        if known is None or _begins_another(delta, known):
            known = PartialToolCall(delta.index)
            self._calls.append(known)
        return known


def _begins_another(delta: CallDelta, known: PartialToolCall) -> bool:
    """Tell whether a fragment is not of the call it seems to be: some engines number every call 0, or none."""
    name = _name(delta)
    if delta.id:
        return delta.id != known.id and (delta.index is None or bool(known.id and name))
    return bool(name and known.name) and (name != known.name or known.is_complete)


def _name(delta: CallDelta) -> str:
    return (delta.function.name if delta.function else None) or ""


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True

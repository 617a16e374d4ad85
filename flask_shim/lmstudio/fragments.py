"""Tool calls put together from the fragments in which they stream. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_shim.lmstudio.events import CallDelta


@dataclass(slots=True)
class Fragments:
    """What has come of one call: its arguments as pieces of JSON text or, from some engines, as an object."""

    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    arguments: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The pieces of the arguments in one."""
        return "".join(self.pieces)


class CallFragments:
    """Collects fragments by index; ids and names come with the first one, arguments in any number of pieces."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        """Start without calls."""
        self._calls: list[Fragments] = []

    def __bool__(self) -> bool:
        """Tell whether any fragment came."""
        return bool(self._calls)

    def __iter__(self) -> Iterator[Fragments]:
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

    def _find(self, delta: CallDelta) -> Fragments:
        last = self._calls[-1] if self._calls else None
        if delta.index is None:
            known = last if last is not None and (not delta.id or delta.id == last.id) else None
        else:
            known = next((call for call in reversed(self._calls) if call.index == delta.index), None)
            # Some engines number every call 0: a new id with a new name begins a new call.
            if known is not None and delta.id and known.id and delta.id != known.id and _name(delta):
                known = None
        if known is None:
            known = Fragments(delta.index)
            self._calls.append(known)
        return known


def _name(delta: CallDelta) -> str:
    return (delta.function.name if delta.function else None) or ""

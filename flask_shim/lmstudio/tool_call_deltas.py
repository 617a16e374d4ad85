"""The tool calls that the fragments in the events of a completion add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import CallDelta


@dataclass(slots=True)
class PartialToolCall:
    """What has arrived of one call: its arguments as pieces of JSON text or, from some engines, as an object."""

    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    arguments: Mapping[str, Any] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the arguments are whole, so that further ones belong to another call."""
        if self.arguments is None:
            try:
                orjson.loads(self.text)
            except orjson.JSONDecodeError:
                return False
        return True

    @property
    def text(self) -> str:
        """The text of the arguments."""
        return "".join(self.pieces)


class ToolCallDeltas:
    """Collects the fragments of tool calls."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[PartialToolCall] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def __iter__(self) -> Iterator[PartialToolCall]:
        """Iterate over the calls in the order in which they began."""
        return iter(self._calls)

    def add(self, delta: CallDelta) -> PartialToolCall:
        """Add a fragment to its call, which is found by the index, or begin another call; return the call."""
        call = next((call for call in reversed(self._calls) if delta.index in (None, call.index)), None)
        if call is None or _begins_another(delta, call):
            call = PartialToolCall(delta.index)
            self._calls.append(call)
        call.id = call.id or delta.id or ""
        call.name = call.name or delta.name or ""
        if isinstance(delta.arguments, str):
            call.pieces.append(delta.arguments)
        elif isinstance(delta.arguments, Mapping):
            call.arguments = delta.arguments
        return call


def _begins_another(delta: CallDelta, call: PartialToolCall) -> bool:
    """Return whether a fragment starts a call with an index in use: some engines number every call 0, or none."""
    if delta.id:
        return delta.id != call.id and (delta.index is None or bool(call.id and delta.name))
    return bool(delta.name and call.name) and (delta.name != call.name or call.is_complete)

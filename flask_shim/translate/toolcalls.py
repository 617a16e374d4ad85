"""Tool calls of an answer, checked and under the names that the client gave its tools. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.errors import BackendBroke
from flask_shim.lmstudio.fragments import CallFragments


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """One complete call. ``arguments`` is the object the model wrote, key order kept."""

    id: str
    name: str
    arguments: Mapping[str, Any]


class CallAssembler(CallFragments):
    """Collects the fragments of all calls, and makes calls of them at the end."""

    __slots__ = ()

    def finish(self, *, was_cut: bool, offered: Iterable[str], new_id: Callable[[], str]) -> tuple[FinishedCall, ...]:
        """Return the calls. Arguments that are no JSON object drop theirs if the answer ``was_cut``, else are an error.

        ``offered`` are the client's names for its tools, ``new_id`` makes an id where the backend gave none.
        """
        names = by_loose_name(offered)
        finished: list[FinishedCall] = []
        ids: set[str] = set()
        for call in self:
            arguments = call.arguments if call.arguments is not None else _object(call.text)
            if arguments is None:
                if was_cut:
                    continue
                why = f"with arguments that are not a JSON object: {call.text[:200]}"
                raise BackendBroke(f"the model called {call.name!r} {why}")
            number = call.id if call.id and call.id not in ids else new_id()
            ids.add(number)
            finished.append(FinishedCall(number, names.get(loose(call.name), call.name), arguments))
        return tuple(finished)


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

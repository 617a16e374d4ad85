"""Tool calls of an answer, checked and under the names that the client gave its tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.tool_call_deltas import PartialToolCall, ToolCallDeltas
from flask_shim.translate.answer.call_forms import parse_tagged_arguments, skip_space
from flask_shim.translate.answer.tool_schemas import ToolSchemas


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """One complete call. ``arguments`` is the object the model wrote, key order kept."""

    id: str
    name: str
    arguments: Mapping[str, Any]


class CallAssembler(ToolCallDeltas):
    """Collects the fragments of all calls, and makes calls of them at the end."""

    __slots__ = ()

    def finish(self, *, was_cut: bool, offered: ToolSchemas, new_id: Callable[[], str]) -> tuple[FinishedCall, ...]:
        """Return the calls.

        A call whose arguments are no JSON object is dropped if the answer ``was_cut``, else it is an error. ``new_id``
        makes an id where the backend gave none, or the same one twice.
        """
        finished: list[FinishedCall] = []
        ids: set[str] = set()
        for call in self:
            if not call.name:
                continue  # no client can run it
            name = offered.name_of(call.name) or call.name
            for arguments in _all_arguments(call, name, offered, was_cut=was_cut):
                call_id = call.id if call.id and call.id not in ids else new_id()
                ids.add(call_id)
                finished.append(FinishedCall(call_id, name, arguments))
        return tuple(finished)


def _all_arguments(call: PartialToolCall, name: str, offered: ToolSchemas, *, was_cut: bool) -> list[Mapping[str, Any]]:
    """Return the arguments of one call, or of several calls of one tool that an engine has run together."""
    if call.arguments is not None:
        return [call.arguments]
    values = _values(call.text)
    objects: list[Mapping[str, Any]] = [value for value in values if isinstance(value, dict)]
    is_understood = len(values) == 1 or all(offered.takes(name, each) for each in objects)
    if objects and len(objects) == len(values) and is_understood:
        return objects
    if (written := parse_tagged_arguments(call.text)) is not None:
        return [offered.typed_arguments(name, written)]
    if was_cut:
        return []
    why = "with arguments that are not a JSON object"
    raise BackendProtocolError(
        f"the model called {call.name!r} {why}: {call.text[:200]}", log_text=f"the model called a tool {why}"
    )


def _values(text: str) -> list[Any]:
    """Return the JSON values in ``text``, none where something else stands.

    Nothing, null and an empty list or text, which engines send for tools without parameters, are no arguments
    (n8n#25731).
    """
    if not text.strip():
        return [{}]
    try:
        return [_unwrap(orjson.loads(text))]
    except orjson.JSONDecodeError:
        return _read_leniently(text)


def _read_leniently(text: str) -> list[Any]:
    """Return values that follow each other; strings may have line ends and half surrogate pairs."""
    decode = json.JSONDecoder(strict=False).raw_decode
    text = text.strip()
    values: list[Any] = []
    at = 0
    try:
        while at < len(text):
            value, end = decode(text, at)
            encoded = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
            values.append(_unwrap(orjson.loads(encoded.decode("utf-16", "replace"))))
            at = skip_space(text, end)
    except (ValueError, RecursionError):
        return []
    return values


def _unwrap(value: Any) -> Any:
    if isinstance(value, str):  # encoded twice
        value = orjson.loads(value) if value.strip() else None
    return {} if value is None or value == [] else value

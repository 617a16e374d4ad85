"""Tool definitions of Ollama's routes: type-checked as Ollama does, reduced to the keywords it knows.

Every tool becomes a function, as in Ollama. Keywords that Ollama drops (``default``, ``minimum``, ``$ref``) do not
reach the backend: its engine rejects the whole request for one that it cannot read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from flask_shim.schemas.go_fields import GoAny, GoField, GoList, GoObject, GoSchema, GoString, OrderedMap
from flask_shim.schemas.unmarshal_errors import mismatch

log = logging.getLogger(__name__)

_LONGEST_CACHED = 20_000


class PropertyType(GoField[Any]):
    """``api.PropertyType``: a string or a list of strings."""

    def _read(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise mismatch(value, "[]string", is_final=True)
        for name in value:
            if not isinstance(name, (str, type(None))):
                raise mismatch(name, "string", is_final=True)
        return [name or "" for name in value]


class ToolProperty(GoField[dict[str, Any]]):
    """``api.ToolProperty``: one property, or an alternative of one."""

    accepts, go_type = dict, "api.ToolProperty"

    def _read(self, value: Any) -> dict[str, Any]:
        return _without_empty(_PROPERTY.read(super()._read(value)))


class ToolPropertySchema(GoSchema):
    """The keywords of a property, in the order in which Ollama writes them."""

    struct = "ToolProperty"

    anyOf = GoList(ToolProperty(), "[]api.ToolProperty")  # noqa: N815  # the keyword
    type = PropertyType()
    items = GoAny()
    description = GoString()
    enum = GoList(GoAny(), "[]interface {}")
    properties = OrderedMap(ToolProperty(), load_default=None)
    required = GoList(GoString(), "[]string")


_PROPERTY = ToolPropertySchema()


class ParametersSchema(GoSchema):
    """The keywords of a tool's parameters."""

    struct = "ToolFunctionParameters"

    type = GoString()
    defs = GoAny(data_key="$defs")
    items = GoAny()
    required = GoList(GoString(), "[]string")
    properties = OrderedMap(ToolProperty())


def _parameters(defs: Any, **known: Any) -> dict[str, Any]:
    return _without_empty({"$defs": defs, **known})


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that Go's ``omitempty`` keeps: an empty object is kept, an empty list or text is not."""
    return {name: value for name, value in values.items() if value not in (None, "", (), [])}


def _keys(value: Any) -> set[str]:
    """Return the keys of all objects in ``value``."""
    if isinstance(value, Mapping):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, (list, tuple)) else set()


class FunctionSchema(GoSchema):
    """The function of a tool."""

    struct = "ToolFunction"

    name = GoString()
    description = GoString(load_default=None)
    parameters = GoObject(ParametersSchema(), _parameters, "api.ToolFunctionParameters", load_default=None)


class ToolSchema(GoSchema):
    """One tool."""

    struct = "Tool"

    type = GoString()
    function = GoObject(
        FunctionSchema(),
        lambda **values: {name: value for name, value in values.items() if value is not None},
        "api.ToolFunction",
    )


_TOOL = ToolSchema()


def _tool(function: dict[str, Any], **_: str) -> dict[str, Any]:
    return {"type": "function", "function": function}


class Tool(GoObject[dict[str, Any]]):
    """A tool: a type and a function with a name, perhaps an empty one."""

    def __init__(self) -> None:
        super().__init__(_TOOL, _tool, "api.Tool")

    def _read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return super()._read(value)
        try:
            given = orjson.dumps(value)
        except TypeError:  # it has Literals: it is read a second time, for the text of an error
            return super()._read(value)
        return (_known_tool if len(given) <= _LONGEST_CACHED else _known_tool.__wrapped__)(given)


@lru_cache(maxsize=512)  # agents send the same tools with each request
def _known_tool(given: bytes) -> dict[str, Any]:
    value = orjson.loads(given)
    known = _tool(**_TOOL.read(value))
    if log.isEnabledFor(logging.DEBUG) and (dropped := _keys(value) - _keys(known)):
        log.debug("dropped from a tool: %s", ", ".join(sorted(dropped)))
    return known


TOOLS = GoList(Tool(), "api.Tools")

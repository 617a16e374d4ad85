"""The tools that a client offered, to which the calls of an answer are matched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import orjson

from flask_shim.translate.answer.call_forms import WrittenCall

Schemas = Mapping[str, Mapping[str, Any]]
"""The client's names for its tools, each with the JSON schema of its parameters, {} where it gave none."""

_IS_OF: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
"""The JSON schema types other than text."""


def to_schemas(functions: Iterable[Mapping[str, Any]]) -> Schemas:
    """Return the schemas of OpenAI's functions or Anthropic's tools by name."""
    return {
        str(function["name"]): _mapping(function.get("parameters") or function.get("input_schema"))
        for function in functions
    }


class ToolSchemas:
    """The tools of one request. LM Studio may have shown the model their names in another spelling."""

    def __init__(self, schemas: Schemas) -> None:
        """Take the tools as :func:`to_schemas` gives them."""
        self._schemas = schemas

    @cached_property
    def _by_loose_name(self) -> dict[str, str]:
        """The names that differ from all others by more than their spelling."""
        loose = {name: _loose_name(name) for name in self._schemas}
        counts = Counter(loose.values())
        return {short: name for name, short in loose.items() if counts[short] == 1}

    def name_of(self, called: str) -> str | None:
        """Return the client's name of the tool that the model called, None unless there is exactly one."""
        return called if called in self._schemas else self._by_loose_name.get(_loose_name(called))

    def takes(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Return whether the tool has all of these parameters."""
        return arguments.keys() <= self._properties(name).keys()

    def typed_arguments(self, name: str, call: WrittenCall) -> Mapping[str, Any]:
        """Return the arguments of a call of the tool ``name``, those that are text in the types of its schema."""
        if not call.is_text:
            return call.arguments
        properties = self._properties(name)
        return {key: _typed(text, _types(_mapping(properties.get(key)))) for key, text in call.arguments.items()}

    def _properties(self, name: str) -> Mapping[str, Any]:
        return _mapping(self._schemas.get(name, {}).get("properties"))


def _loose_name(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return re.sub(r"[\W_]", "", name.casefold())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _types(schema: Mapping[str, Any]) -> set[str]:
    """Return the types that a schema allows at its top level."""
    given = schema.get("type")
    types = {name for name in (given if isinstance(given, list) else [given]) if isinstance(name, str)}
    for keyword in ("anyOf", "oneOf"):
        choices = schema.get(keyword)
        types.update(*(_types(_mapping(choice)) for choice in choices if choices) if isinstance(choices, list) else ())
    return types


def _typed(text: str, types: set[str]) -> Any:
    """Return the value of ``text`` in one of the types, or as Ollama does, the text itself if none fits."""
    bare = text.strip()
    if bare.lower() in ("true", "false", "null"):  # Python's spelling is as frequent as JSON's
        bare = bare.lower()
    if bare == "null":
        return None
    try:
        value = orjson.loads(bare)
    except orjson.JSONDecodeError:
        return text
    return value if any(_IS_OF[kind](value) for kind in types & _IS_OF.keys()) else text

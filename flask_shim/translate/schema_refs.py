"""Replace the references in a JSON schema by what they refer to.

LM Studio's engines know references to other degrees: llama.cpp resolves those to definitions, but not ``#`` (b11549).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

MAX_NODES = 10_000
"""Definitions that refer to each other can double the schema with each level: beyond this, references are kept."""

MAX_DEPTH = 100
"""What is nested deeper may be anything."""

_DEFINITIONS = ("$defs", "definitions")
_VALUES = ("const", "enum", "default", "examples")
"""Keywords that hold values, not schemas."""


def inline_refs(schema: Mapping[str, Any]) -> Schema:
    """Return the schema without references, but for those of recursive definitions, which are left in ``$defs``.

    References that lead nowhere, or to another document, stay as they are.
    """
    return _Inliner(schema).inlined()


class _Inliner:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._names: dict[str, str] = {}  # the kept references: their pointers, and their names in $defs
        self._nodes = 0

    def inlined(self) -> Schema:
        whole = self._copy(_without_definitions(self._root), ("#",), 0)
        definitions: Schema = {}
        while missing := [pointer for pointer, name in self._names.items() if name not in definitions]:
            for pointer in missing:
                target = _without_definitions(self._target(pointer) or {})
                definitions[self._names[pointer]] = self._copy(target, (pointer,), 0)
        return {**whole, "$defs": definitions} if definitions else whole

    def _copy(self, node: Any, inside: tuple[str, ...], depth: int) -> Any:
        """Copy a node; ``inside`` are the pointers of the definitions that it is a part of."""
        self._nodes += 1
        if isinstance(node, list):
            return [self._copy(item, inside, depth + 1) for item in node]
        if not isinstance(node, Mapping):
            return node
        if depth > MAX_DEPTH:
            return {}
        pointer = str(node.get("$ref"))
        target = self._target(pointer)
        if target is None:
            return {
                key: value if key in _VALUES else self._copy(value, inside, depth + 1) for key, value in node.items()
            }
        if pointer in inside or self._nodes > MAX_NODES:
            return {"$ref": f"#/$defs/{self._name(pointer)}"}
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return self._copy(_without_definitions({**target, **beside}), (*inside, pointer), depth + 1)

    def _target(self, pointer: str) -> Mapping[str, Any] | None:
        """Return the schema that a pointer within the document leads to."""
        found: Any = self._root
        if pointer != "#" and not pointer.startswith("#/"):
            return None
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(key)
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return None
        return found if isinstance(found, Mapping) else None

    def _name(self, pointer: str) -> str:
        if pointer not in self._names:
            name = pointer.rpartition("/")[2].strip("#") or "root"
            number = sum(other.partition(".")[0] == name for other in self._names.values())
            self._names[pointer] = f"{name}.{number}" if number else name
        return self._names[pointer]


def _without_definitions(schema: Mapping[str, Any]) -> Schema:
    return {key: value for key, value in schema.items() if key not in _DEFINITIONS}

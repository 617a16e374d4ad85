"""Declare the tables of a TOML file as dataclasses, and read them with all mistakes."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask_shim.config.toml_document import Document, Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: its parser, its description, and a value as it is written."""

    parse: Callable[[Any], Any] | type
    """Returns the value to use, or raises ValueError with a sentence. A dataclass is a table below this one."""
    help: str
    example: str
    also_called: tuple[str, ...] = ()
    """Names for it elsewhere, for which this one is suggested."""
    is_required: bool = False
    is_secret: bool = False


def toml_key(
    parse: Callable[[Any], Any] | type,
    help: str,  # noqa: A002 - as in argparse and click
    example: str,
    *,
    default: Any = None,
    **attributes: Any,
) -> Any:
    """Declare a dataclass field that is a key."""
    declared = Key(parse, help, example, **attributes)
    return dataclasses.field(default=default, repr=not declared.is_secret, metadata={"key": declared})


def keys_of(table: type) -> dict[str, Key]:
    """Return the keys that a dataclass declares."""
    return {field.name: field.metadata["key"] for field in dataclasses.fields(table) if "key" in field.metadata}


@dataclass(frozen=True, slots=True)
class Tables:
    """A kind of table, with its description; ``example`` is a name, empty if its tables have none."""

    name: str
    table: type
    help: str
    example: str = ""

    @property
    def header(self) -> str:
        """The header of such a table in a file."""
        return f'[{self.name}."{self.example}"]' if self.example else f"[[{self.name}]]"


def tables(name: str, table: type, help: str, *, example: str = "") -> Any:  # noqa: A002
    """Declare a dataclass field that holds all tables of a kind. A named table has a field ``name``."""
    return dataclasses.field(default=(), metadata={"tables": Tables(name, table, help, example)})


def kinds_of(file: type) -> dict[str, Tables]:
    """Return the kinds of tables by the fields that hold them."""
    return {field.name: field.metadata["tables"] for field in dataclasses.fields(file) if "tables" in field.metadata}


def suggestion(name: str, known: Iterable[str], also_called: Mapping[str, str] | None = None) -> str:
    """Return the question whether another name was meant, "" if none is similar."""
    names = {**{each: each for each in known}, **(also_called or {})}
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    return f" Did you mean {names[close[0]]}?" if close else ""


class TableReader:
    """Reads the tables of one document and collects what is wrong with them."""

    def __init__(self, document: Document, path: str) -> None:
        """``path`` is how the mistakes name the file."""
        self.problems: list[str] = []
        self._document = document
        self._path = path

    def read_all(self, kinds: Mapping[str, Tables]) -> dict[str, tuple[Any, ...]]:
        """Return all tables by the fields that hold them."""
        by_name = {kind.name: (field, kind) for field, kind in kinds.items()}
        found: dict[str, tuple[Any, ...]] = {}
        for name, value in self._document.values.items():
            if name in by_name:
                field, kind = by_name[name]
                found[field] = tuple(self._read_kind(kind, value))
            else:
                headers = {kind.name: kind.header for kind in kinds.values()}
                hint = suggestion(name, headers) or f" There are {', '.join(headers.values())}."
                self.report((name,), f"{name}: No such table.{hint}")
        return found

    def report(self, place: Place, problem: str) -> None:
        """Note a mistake."""
        self.problems.append(f"{self._path}, line {self._document.line_of(place)}: {problem}")

    def _read_kind(self, kind: Tables, value: Any) -> list[Any]:
        if kind.example and isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
            items: list[tuple[str | int, Any]] = [*value.items()]
        elif not kind.example and isinstance(value, list) and all(isinstance(each, dict) for each in value):
            items = [*enumerate(value)]
        else:
            self.report((kind.name,), f"Write such a table under the header {kind.header}.")
            return []
        named = [{"name": name} if kind.example else {} for name, _ in items]
        return [
            self._read(kind.table, each, (kind.name, name), **attributes)
            for (name, each), attributes in zip(items, named, strict=True)
        ]

    def _read(self, table: type[T], values: Mapping[str, Any], place: Place, **attributes: Any) -> T:
        """Return one table; what is wrong in it keeps its default."""
        keys = keys_of(table)
        found = {}
        for name, value in values.items():
            here = (*place, name)
            if name not in keys:
                self.report(here, self._unknown(name, value, keys, place))
            elif dataclasses.is_dataclass(inner := keys[name].parse):
                if isinstance(value, dict):
                    found[name] = self._read(inner, value, here)
                else:
                    self.report(here, f"{name}: Write it as {name} = {keys[name].example}.")
            else:
                try:
                    found[name] = keys[name].parse(value)
                except ValueError as exc:
                    self.report(here, f"{name}: {exc}")
        for name, each in keys.items():
            if each.is_required and name not in values:
                self.report(place, f"{name} is missing; write {name} = {each.example}.")
        if "line" in table.__dataclass_fields__:  # type: ignore[attr-defined]
            attributes["line"] = self._document.line_of(place)
        return table(**found, **attributes)

    def _unknown(self, name: str, value: Any, keys: Mapping[str, Key], place: Place) -> str:
        if isinstance(value, dict) and len(place) == 2 and isinstance(place[1], str):
            return f'A name with a dot needs quotes: [{place[0]}."{place[1]}.{name}"].'
        also_called = {other: known for known, each in keys.items() for other in each.also_called}
        return f"{name}: No such key.{suggestion(name, keys, also_called)}"

"""Parse a TOML text, with the line of each table and key."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Place = tuple[str | int, ...]
"""The names that lead to a value, and the index of each element of an array of tables."""

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
_BARE_NAME = re.compile(r"\s*\[\[?\s*(\w+)\s*\.\s*([^\"'\]]*[^\"'\]\w.-][^\"'\]]*)\]")


class TomlError(Exception):
    """The text is not TOML."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a TOML text and where they stand."""

    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line_of(self, place: Place) -> int:
        """Return the line of a value, for an element of an inline one that of the whole."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)


def parse(text: str) -> Document:
    """Parse a text; raise TomlError for the first mistake."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = _AT_LINE.search(str(exc))
        number = int(found[1]) if found else text.count("\n") + 1
        raise TomlError(number, _reason(str(exc), text.split("\n")[number - 1])) from exc
    except RecursionError as exc:
        raise TomlError(1, "Not TOML: nested too deeply.") from exc
    return Document(values, _locate(text))


def _reason(problem: str, line: str) -> str:
    if bare := _BARE_NAME.match(line):
        return f'Not TOML: a name with other characters than letters needs quotes: [{bare[1]}."{bare[2].strip()}"].'
    return f"Not TOML: {_AT_LINE.sub('', problem)}."


def _locate(text: str) -> dict[Place, int]:
    """Return the line of each table and key of a valid text."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, statement in _statements(text):
        if not statement.lstrip().startswith("["):
            for names in _names_in(tomllib.loads(statement)):
                lines.setdefault((*table, *names), number)
            continue
        table = ()
        header: Any = tomllib.loads(statement)
        while header:
            name, header = next(iter(header.items()))
            table = (*table, name)
            if isinstance(header, list):  # the header of a new element
                counts[table] = counts.get(table, -1) + 1
                header = header[0]
            lines.setdefault(table, number)
            if table in counts:
                table = (*table, counts[table])
                lines.setdefault(table, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the headers and the assignments with their lines: the shortest pieces that are valid TOML."""
    pending, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        pending += f"{line}\n"
        try:
            parsed = tomllib.loads(pending)
        except tomllib.TOMLDecodeError:  # the rest of an array or of a long text follows
            continue
        if parsed:
            yield start, pending
        pending, start = "", number + 1


def _names_in(values: Mapping[str, Any]) -> Iterator[Place]:
    for name, value in values.items():
        yield (name,)
        if isinstance(value, Mapping):
            yield from ((name, *rest) for rest in _names_in(value))

"""Explain the tables of ``flask-shim.toml`` to its author."""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from flask_shim.config.shim_file import FILE_NAME, ModelProfile, ShimFile
from flask_shim.config.toml_tables import Tables, keys_of, kinds_of
from flask_shim.config.toml_values import matches
from flask_shim.doctor.findings import plural
from flask_shim.models.profiles import names_of
from flask_shim.translate.ollama.listing import Entry

_WIDTH = 100
_INDENT = "    "


def explain(file: ShimFile, entries: Sequence[Entry] | None = None) -> str:
    """Return which file is used and what each of its tables does; secrets are not shown.

    ``entries`` are the names that the profiles may match, None if they are not known.
    """
    if file.path is None:
        return (
            f"No {FILE_NAME} is used: neither this folder nor your folder for configuration has one, and SHIM_CONFIG "
            "is not set.\nconfig/flask-shim.toml.example shows what it can say."
        )
    tables = [(each.line, kind, each) for field, kind in kinds_of(ShimFile).items() for each in getattr(file, field)]
    found = [_explain_table(kind, each, entries) for _, kind, each in sorted(tables, key=lambda table: table[0])]
    return "\n\n".join([f"{file.path.absolute()}: {plural(len(tables), 'table')}, no mistakes.", *found])


def _explain_table(kind: Tables, table: Any, entries: Sequence[Entry] | None) -> str:
    header = f'[{kind.name}."{table.name}"]' if kind.example else kind.header
    lines = [f"line {table.line}: {header}"]
    defaults = {field.name: field.default for field in dataclasses.fields(table)}
    for name, key in keys_of(type(table)).items():
        value = getattr(table, name)
        if value != defaults[name]:
            text = f"{name} = {'…' if key.is_secret else to_text(value)}"
            lines.append(_wrapped(f"{text}   # {key.help.replace('`', '')}"))
    if isinstance(table, ModelProfile):
        lines.append(_wrapped(f"# {_matching(table, entries)}"))
    return "\n".join(lines)


def _matching(profile: ModelProfile, entries: Sequence[Entry] | None) -> str:
    if entries is None:
        return "Which models it matches is not known: LM Studio does not answer."
    names = [entry.name.removesuffix(":latest") for entry in entries if matches((profile.name,), *names_of(entry))]
    return f"Matches {', '.join(names) or f'none of the {len(entries)} models at hand'}."


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT * 2, break_on_hyphens=False)


def to_text(value: Any) -> str:
    """Return a value as it may be written in TOML."""
    if isinstance(value, tuple):
        return to_text(value[0]) if len(value) == 1 else f"[{', '.join(map(to_text, value))}]"
    if dataclasses.is_dataclass(value):
        given = {name: each for name in keys_of(type(value)) if (each := getattr(value, name)) is not None}
        return f"{{ {', '.join(f'{name} = {to_text(each)}' for name, each in given.items())} }}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float) and math.isinf(value):
        return "-1"
    return json.dumps(value, ensure_ascii=False)

"""The page of promises leaves none out, and what it points at is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from support.pages import ROOT, rows, text_of

from flask_shim.config.all_settings import SETTINGS

PAGE = text_of(ROOT / "docs" / "PROMISES.md")
SECTIONS = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
PROMISES = [row for section in SECTIONS for row in rows(PAGE, section)]

COUNTS = {"F": 44, "D": 48, "R": 54, "S": 44, "V": 25}
"""How many promises each of the five documents makes."""

ELSEWHERE = {"SHIM_ENV_FILE"}
"""Variables that are no settings: they say where settings are."""


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_no_promise_is_left_out():
    assert [row[0] for row in PROMISES] == [
        f"{letter}{n + 1}" for letter, count in COUNTS.items() for n in range(count)
    ]


@pytest.mark.parametrize("row", PROMISES, ids=[row[0] for row in PROMISES])
def test_what_holds_a_promise_is_there(row):
    _, _, kept, held_by = row
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", held_by)
    assert named
    assert kept
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_what_keeps_a_promise_is_there():
    named = {name for _, _, kept, _ in PROMISES for name in re.findall(r"`([\w/.]+(?:\.py|\.toml|\.example|/))`", kept)}
    lost = [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "flask_shim"))]
    assert lost == []


def test_every_variable_that_was_promised_is_one():
    known = {name for setting in SETTINGS for name in setting.names} | ELSEWHERE
    assert set(re.findall(r"`((?:SHIM|OLLAMA|LMSTUDIO)_[A-Z_]+)`", PAGE)) <= known

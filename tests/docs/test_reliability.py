"""The page on reliability leaves no fault out, and the tests it names are there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from support.pages import ROOT, rows, text_of

from flask_shim.config.all_settings import SETTINGS

PAGE = text_of(ROOT / "docs" / "RELIABILITY.md")
PROMISES = [*rows(PAGE, "To clients"), *rows(PAGE, "To operators")]
FAULTS = [
    line.strip("|").split(" | ") for line in PAGE.partition("\n## Faults\n")[2].splitlines() if line[:3].strip("| ")
]

FAULT_COUNT = 112


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def numbered(table):
    return [row for row in table if row[0].strip().isdigit()]


def test_no_fault_and_no_promise_is_left_out():
    assert [int(row[0]) for row in numbered(FAULTS)] == list(range(1, FAULT_COUNT + 1))
    assert [int(row[0]) for row in PROMISES] == list(range(1, len(PROMISES) + 1))


@pytest.mark.parametrize("row", [*PROMISES, *numbered(FAULTS)], ids=lambda row: row[0].strip())
def test_what_holds_it_is_there(row):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row[-1])
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_every_other_test_that_is_named_is_there():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
    assert [name for file, name in named if name not in names_in(file)] == []


def test_every_setting_that_is_named_is_one():
    known = {name for setting in SETTINGS for name in setting.names}
    assert set(re.findall(r"\bSHIM_[A-Z_]+", PAGE)) <= known


def test_every_file_of_the_fault_tests_holds_something():
    files = {path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")}
    assert files <= set(re.findall(r"`faults/(\w+\.py)::", PAGE))

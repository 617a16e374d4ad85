"""The page on compatibility says what the table shows, and the table has a row for everything there is to show."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.details import DEMANDS, DETAILS
from conformance.other_differences import OTHER_DIFFERENCES
from conformance.table import ROWS, SCRIPTED

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "COMPATIBILITY.md"

ALL = (*ROWS, *SCRIPTED)
SECTIONS = (
    *("1.2", "1.3", "1.4", "1.5", "1.7", "3", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "5"),
    *(f"7.{number}" for number in range(1, 15)),
    *(f"8.{number}" for number in range(1, 9)),
    *("9", "10"),
)


def _bullets(page):
    blocks = page.split("\n- ")[1:]
    return [" ".join(block.split("\n\n")[0].split()) for block in blocks]


def test_the_page_lists_every_difference_and_no_other():
    result = _bullets(PAGE.read_text(encoding="utf-8"))
    shown = {row.differs for row in ALL if row.differs} | set(OTHER_DIFFERENCES)
    assert sorted(result) == sorted(shown)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_rows(section):
    assert any(row.section == section for row in ALL)


def test_every_row_has_a_name_of_its_own():
    for rows in (ROWS, SCRIPTED):
        names = [f"{row.section} {row.name}" for row in rows]
        assert len(set(names)) == len(names), {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize("test", OTHER_DIFFERENCES.values())
def test_what_differs_elsewhere_is_shown_by_a_test(test):
    assert any(f"def {test}(" in file.read_text(encoding="utf-8") for file in HERE.glob("test_*.py"))


@pytest.mark.parametrize(("what", "rows"), [*DETAILS.items(), *DEMANDS.items()])
def test_every_detail_that_imitations_get_wrong_has_rows(what, rows):
    names = {f"{row.section} {row.name}" for row in ALL}
    assert rows
    assert set(rows) <= names, set(rows) - names

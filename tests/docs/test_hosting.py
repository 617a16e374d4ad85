"""The page about hosting has every file there is, and says of none that it was tried if it was not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.front_proxies import PROGRAMS

from flask_shim.deploy.rendering import TEMPLATES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "HOSTING.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([\w.-]+)` \| (?:`([\w-]+)` )?\| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)


def test_every_file_has_its_row():
    assert sorted(file for file, *_ in ROWS) == sorted(path.name for path in (ROOT / "config").iterdir())


def test_every_row_has_the_name_its_file_is_printed_by():
    assert {(name, file) for file, name, *_ in ROWS if name} == {(name, one.file) for name, one in TEMPLATES.items()}


def test_what_was_tried_is_what_the_tests_run():
    tried = {name for _, name, _, how in ROWS if name and how.startswith("tried")}
    assert tried == set(PROGRAMS)


@pytest.mark.parametrize("file", [file for file, *_ in ROWS])
def test_every_file_is_mentioned_in_the_text(file):
    names = {one.file: name for name, one in TEMPLATES.items()}
    text = PAGE.partition("\n## Windows\n")[2]
    assert file in text or f"`{names[file]}`" in text or f"config {names[file]} " in text


def test_every_link_within_the_page_leads_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall("^#+ (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


@pytest.mark.parametrize("command", re.findall(r"flask-shim config (\S+) --output", PAGE))
def test_every_command_prints_what_there_is(command):
    assert command in TEMPLATES

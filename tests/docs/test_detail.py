"""The page on how the shim works names files and values that exist."""

from __future__ import annotations

import re

import pytest
from support.pages import ROOT, rows, text_of

PAGE = text_of(ROOT / "docs" / "DETAIL.md")
PACKAGE = ROOT / "flask_shim"
FILES = sorted(set(re.findall(r"`(?!tests/|flask_shim/)([a-z_]+(?:/[\w*]+)*(?:\.py|/))`", PAGE)))


@pytest.mark.parametrize("file", FILES)
def test_a_file_on_the_page_exists(file):
    assert [*PACKAGE.glob(file), *PACKAGE.rglob(file)]


@pytest.mark.parametrize("row", rows(PAGE, "Where to make a change"), ids=lambda row: row[0])
def test_a_name_on_the_page_is_in_its_file(row):
    for name, file in re.findall(r"`(\w+)`[^`]* (?:of|in) `([\w/]+\.py)`", row[1]):
        assert re.search(rf"\b{name}\b", text_of(PACKAGE / file)), (name, file)

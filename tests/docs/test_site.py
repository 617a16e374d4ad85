"""The site is made of the pages there are, and loads nothing from elsewhere."""

from __future__ import annotations

import re

from support.pages import ROOT, text_of

SITE = text_of(ROOT / "mkdocs.yml")


def test_the_site_has_every_page_of_the_folder():
    _, _, nav = SITE.partition("\nnav:\n")
    told = re.findall(r"^  - [^:]+: (\S+)$", nav, re.MULTILINE)
    assert sorted(told) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_the_site_asks_nobody_for_its_letters():
    assert "\n  font: false\n" in SITE


def test_pages_of_the_site_link_to_nothing_outside_of_it():
    assert [page.name for page in (ROOT / "docs").glob("*.md") if "](../" in text_of(page)] == []


def test_no_picture_asks_anybody_for_its_letters():
    assert [path.name for path in (ROOT / "docs" / "pictures").glob("*.svg") if "@font-face" in text_of(path)] == []

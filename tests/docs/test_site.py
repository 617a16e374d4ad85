"""The site has every page, grouped by reader, and loads nothing from other servers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.pages import ROOT, text_of

SITE = text_of(ROOT / "mkdocs.yml")


_, _, NAV = SITE.partition("\nnav:\n")


def test_the_site_has_every_page_of_the_folder():
    pages = re.findall(r"^ +- [^:]+: (\S+)$", NAV, re.MULTILINE)
    assert sorted(pages) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_the_site_groups_its_pages_by_reader():
    assert re.findall(r"^  - ([^:]+):$", NAV, re.MULTILINE) == ["Use", "Operate", "Develop"]


def test_the_site_builds_without_warnings(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr


def test_the_site_loads_no_fonts_from_other_servers():
    assert "\n  font: false\n" in SITE


def test_pages_of_the_site_link_to_nothing_outside_of_it():
    assert [page.name for page in (ROOT / "docs").glob("*.md") if "](../" in text_of(page)] == []


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_loads_no_fonts_from_other_servers(picture):
    assert "@font-face" not in text_of(picture)

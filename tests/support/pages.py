"""The pages of the documentation: where they are, what they link to, which commands they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

PAGES = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: the language it names, and what is in it."""

    kind: str
    text: str


def text_of(page: Path) -> str:
    """Return the page."""
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks."""
    yield from (Block(*found) for found in _BLOCK.findall(text))


def links(text: str) -> Iterator[str]:
    """Yield where the page's links and pictures lead."""
    yield from _LINK.findall(_CODE.sub("", _BLOCK.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    return {_anchor(heading) for heading in _HEADING.findall(_BLOCK.sub("", text))}


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    _, _, below = text.partition(f"\n## {heading}\n")
    table = re.search(r"^\|.*?(?=^(?!\|))", below, re.MULTILINE | re.DOTALL)
    assert table, f"there is no table below {heading}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].splitlines()[2:]]

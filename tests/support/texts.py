"""The texts in the package: every string in its code, with what is filled in left open."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import flask_shim

PACKAGE = Path(flask_shim.__file__).parent
ANYTHING = "..."


SHARE = 0.8
"""How much of a text has to stand in the code: a pattern of almost nothing but gaps would fit anything."""


@cache
def texts() -> tuple[tuple[re.Pattern[str], int], ...]:
    """Return the texts as regular expressions, each with the number of its own characters."""
    nodes = (node for file in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    parts = (_parts(node) for node in nodes)
    return tuple(
        (re.compile(".+?".join(map(re.escape, text)), re.DOTALL), sum(map(len, text))) for text in parts if text
    )


def says(text: str) -> bool:
    """Tell whether the package has that text; ``...`` in it stands for what is filled in."""
    text = text.strip()
    least = SHARE * len(text.replace(ANYTHING, ""))
    return any(length >= least and pattern.fullmatch(text) for pattern, length in texts())


def _parts(node: ast.AST) -> list[str]:
    """Return what stands before, between and behind the gaps of a string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if not isinstance(node, ast.JoinedStr):
        return []
    parts = [""]
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts[-1] += str(value.value)
        else:
            parts.append("")
    return parts

"""The rates as an SVG picture: one group of bars for each scenario, each scaled to its own longest bar."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.benchmarks.rounds import Row

_COLORS = {"direct": "#b8b8b8", "nginx": "#7f8ea3", "naive": "#e0a458", "ours": "#2f6fb3"}
_STYLE = """<style>
.page { fill: #ffffff } text { fill: #222222 }
@media (prefers-color-scheme: dark) { .page { fill: #0d1117 } text { fill: #d0d7de } }
</style>"""
_WIDTH, _LEFT, _BAR, _GAP, _TITLE = 760, 90, 18, 4, 30
_LONGEST = _WIDTH - _LEFT - 170
"""The longest bar leaves room for a number to its right."""


def to_svg(rows: Sequence[Row]) -> str:
    """Return the picture; text and background fit light and dark pages."""
    parts: list[str] = []
    y = 10
    for name in dict.fromkeys(row.scenario.name for row in rows):
        same = [row for row in rows if row.scenario.name == name]
        parts += _group(same, y)
        y += _TITLE + len(same) * (_BAR + _GAP) + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}" '
        'font-family="sans-serif" font-size="13">'
    )
    background = f'<rect class="page" width="{_WIDTH}" height="{y}"/>'
    return "\n".join([head, _STYLE, background, *parts, "</svg>", ""])


def _group(rows: Sequence[Row], top: int) -> list[str]:
    scenario = rows[0].scenario
    longest = max((row.value("rate") or 0.0 for row in rows), default=0.0) or 1.0
    title = f"{scenario.title} ({scenario.unit} per second)"
    parts = [_text(10, top + 18, title, weight="bold")]
    for number, row in enumerate(rows):
        y = top + _TITLE + number * (_BAR + _GAP)
        parts += _bar(row, y, (row.value("rate") or 0.0) / longest)
    return parts


def _bar(row: Row, y: int, share: float) -> list[str]:
    width = max(1.0, share * _LONGEST)
    fault = " (faults)" if row.faults else ""
    middle = y + _BAR - 5
    return [
        _text(_LEFT - 8, middle, row.target, anchor="end"),
        f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLORS[row.target]}"/>',
        _text(_LEFT + width + 6, middle, f"{row.value('rate') or 0:,.0f}{fault}"),
    ]


def _text(x: float, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'

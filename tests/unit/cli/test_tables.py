"""Tables on terminals of any width."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from flask_shim.cli.tables import fitted_table

LINE = {
    "ID": "c0fdbeefecff",
    "CLIENT": "GitHub Copilot",
    "MODEL": "qwen/qwen3-coder-30b-a3b-instruct",
    "PHASE": "reading the prompt 40 %",
    "PROMPT": "123456",
    "OUTPUT": "12345",
    "TOKENS/S": "101.5",
    "FIRST TOKEN": "12.5 s",
    "AGE": "1:02:03",
}
NUMBERS = ("PROMPT", "OUTPUT", "TOKENS/S", "FIRST TOKEN", "AGE")


def printed(line, width):
    console = Console(width=width, file=io.StringIO())
    console.print(fitted_table([line, line], width))
    return [text.rstrip() for text in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (160, set()),
        (100, set()),
        (80, {"FIRST TOKEN", "PROMPT"}),
        (60, {"FIRST TOKEN", "PROMPT", "OUTPUT", "TOKENS/S"}),
        (45, {"FIRST TOKEN", "PROMPT", "OUTPUT", "TOKENS/S", "ID"}),
    ],
)
def test_a_narrow_table_shortens_texts_and_leaves_out_columns_but_cuts_no_number(width, left_out):
    headings, *lines = printed(LINE, width)
    assert len(lines) == 2
    assert all(len(line) <= width for line in (headings, *lines))
    for name in LINE:
        assert (name in re.split(r"\s{2,}", headings)) is (name not in left_out)
    for name in ("ID", *NUMBERS):
        assert (LINE[name] in lines[0]) is (name not in left_out)
    assert ("…" in lines[0]) is (width < 160)


def test_a_name_too_long_for_the_terminal_is_whole():
    name = "publisher/" + "Meta-Llama-3.1-405B-" * 4
    headings, *lines = printed({"NAME": name, "CONTEXT": "131072", "LOADED": "yes"}, 60)
    first_column = [line[: headings.index("CONTEXT")].strip() for line in lines]
    assert "".join(first_column) == 2 * name

"""What the lms tool prints."""

import pytest
from hypothesis import given
from support.chunks import PLACES, cut, one_by_one

from flask_shim.lmstudio.lms.output import (
    Lines,
    error_text,
    picks_another,
    progress_of,
    without_escapes,
)

BAR = "\x1b[?25l\x1b[s\r⠙ [██████████▍           ] 45.32% | 1.20 GB / 4.50 GB | 45.00 MB/s | ETA 01:13          \x1b[u"
OUTPUT = f"↓ To download: thing\n{BAR}{BAR}\r\n\x1b[33mDownload completed.\x1b[39m".encode()
LINES = [
    "↓ To download: thing",
    "⠙ [██████████▍           ] 45.32% | 1.20 GB / 4.50 GB | 45.00 MB/s | ETA 01:13",
    "⠙ [██████████▍           ] 45.32% | 1.20 GB / 4.50 GB | 45.00 MB/s | ETA 01:13",
    "Download completed.",
]


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        (LINES[1], (1_200_000_000, 4_500_000_000)),
        ("[ ] 0.00% |   0 B / 999 B |", (0, 999)),
        ("12.5 MB / 2 TB", (12_500_000, 2_000_000_000_000)),
        ("7%", (None, None)),
        ("100 % done", (None, None)),
        ("Download completed.", None),
        ("", None),
        ("1 / 2", None),
        ("Downloading q4_k_m [GGUF] 2.1 GB", None),
    ],
)
def test_progress_is_read_from_a_bar_and_from_nothing_else(line, progress):
    state = progress_of(line)
    assert (state and (state.done_bytes, state.total_bytes)) == progress


@given(PLACES)
def test_lines_are_the_same_however_the_output_is_cut(places):
    lines = Lines()
    found = [line for block in cut(OUTPUT, places) for line in lines.feed(block)]
    assert [*found, *lines.feed(b"", is_last=True)] == LINES


def test_lines_are_the_same_byte_by_byte():
    lines = Lines()
    found = [line for block in one_by_one(OUTPUT) for line in lines.feed(block)]
    assert [*found, *lines.feed(b"", is_last=True)] == LINES


def test_lines_take_bytes_that_are_no_text():
    assert list(Lines().feed(b"a\xff\xfe\nb", is_last=True)) == ["a\ufffd\ufffd", "b"]


def test_line_without_end_is_not_kept_whole():
    lines = Lines()
    assert [list(lines.feed(b"x" * 4000)) for _ in range(10)] == [[]] * 10
    assert len(next(lines.feed(b"", is_last=True))) <= 10_000


@pytest.mark.parametrize(
    ("line", "picks"),
    [
        ("Multiple models found. Automatically selecting the first one due to --yes.", True),
        ("Multiple staff picks found. Automatically selecting the first one due to --yes.", True),
        ("Based on your hardware, choosing the recommended option: Q4_K_M", False),
    ],
)
def test_tool_that_chooses_another_model_is_detected(line, picks):
    assert picks_another(line) is picks


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("\x1b[91mError:\x1b[39m Cannot find variant q9.\n", "Cannot find variant q9."),
        ("\n╭──────╮\n│ Model not found │\n╰──────╯\n\n  run:\n\n    lms ls\n", "Model not found run: lms ls"),
        ("x" * 900, "x" * 500),
        ("\x1b[31m \n", ""),
    ],
)
def test_error_is_one_line_without_decoration(output, text):
    assert error_text(output) == text


@pytest.mark.parametrize(
    "text", ["\x1b[1;31mx\x1b[0m", "\x1b]0;title\x07x", "\x1b]8;;url\x1b\\x", "\x1b7x\x1b8", "\x1bcx"]
)
def test_escapes_are_taken_out(text):
    assert without_escapes(text) == "x"

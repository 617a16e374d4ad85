"""Go durations: the seconds they stand for, and Go's own words for what is none."""

from __future__ import annotations

import re

import pytest

from flask_shim.config.parsers import go_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("-0", 0.0),
        ("5m", 300.0),
        ("+5m", 300.0),
        ("-1m", -60.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("5.s", 5.0),
        ("250ms", 0.25),
        ("1h0m0s", 3600.0),
        ("3µs", 3e-6),
        ("3μs", 3e-6),
        ("7ns", 7e-9),
    ],
)
def test_a_duration_is_read(text, seconds):
    assert go_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("abc", 'time: invalid duration "abc"'),
        (".s", 'time: invalid duration ".s"'),
        ("5m x", 'time: unknown unit "m x" in duration "5m x"'),
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("1m5", 'time: missing unit in duration "1m5"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_an_invalid_duration_is_rejected_with_gos_text(text, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        go_seconds(text)

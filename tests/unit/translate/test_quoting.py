"""Quoting as Go's %q."""

from __future__ import annotations

import pytest

from flask_shim.translate.ollama.quoting import go_quote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("plain name", '"plain name"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("it's", '"it\'s"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x1b\x7f", r'"\x00\x1b\x7f"'),
        ("é日\U0001f600", '"é日\U0001f600"'),
        ("\x80\xa0\u200b\u2028", r'"\u0080\u00a0\u200b\u2028"'),
        ("\ue000\U000e0001", r'"\ue000\U000e0001"'),
        ("\ufffd", '"\ufffd"'),
    ],
)
def test_a_text_is_quoted_as_go_quotes_it(text, quoted):
    assert go_quote(text) == quoted

"""Words that no technical text of today uses do not occur in the code, the tests and the documentation."""

from __future__ import annotations

import re

from support.pages import ROOT

WORDS = (
    "nobody",
    "somebody",
    "whoever",
    "whomever",
    "anew",
    "for ever",
    "surely",
    "thereby",
    "therein",
    "hereby",
    "whereof",
    "a word in the log",
    "is told",
    "are told",
    "goes by",
    "makes do",
    "takes it for",
    "in its turn",
    "there is none",
)

FOLDERS = ("flask_shim", "tests", "docs", "tools")

FILES = {
    path
    for pattern in ("*.py", "*.md")
    for folder in FOLDERS
    for path in [*(ROOT / folder).rglob(pattern), *ROOT.glob(pattern)]
    if path.name != "test_language.py" and "build" not in path.parts
}

PATTERN = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


def test_only_plain_words_occur():
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
    found = {name: PATTERN.findall(text.replace("\n", " ")) for name, text in texts.items()}
    assert not {name: words for name, words in found.items() if words}, "rewrite it in plain technical English"

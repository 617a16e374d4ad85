"""The lines of a settings file: what they set, and which of them set nothing although they were meant to."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from dotenv.parser import Binding, parse_stream

from flask_shim.config.all_settings import SETTINGS

KNOWN = tuple(name for setting in SETTINGS for name in setting.names)


def read_lines(content: str, file: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the texts by variable, and one problem for each line that can't be read, with ``file`` and its number.

    A problem never repeats the line, which may hold a key.
    """
    bindings = list(parse_stream(io.StringIO(content)))
    # Without interpolation, so that a $ in a key stays one.
    texts = {each.key: each.value for each in bindings if each.key is not None and each.value is not None}
    return texts, tuple(f"{file}, line {_line(each)}: {why}" for each in bindings for why in _mistakes(each))


def _mistakes(binding: Binding) -> Iterator[str]:
    """Yield what is wrong with one line; names of other programs may stand there without a value."""
    if binding.error:
        yield "Not NAME=value, or a quote that is not closed."
        return
    key = binding.key or ""
    ours = next((name for name in re.findall(r"\w+", key) if name in KNOWN or name.startswith("SHIM_")), None)
    if ours is not None and (binding.value is None or key != ours):
        yield f"{ours if ours in KNOWN else 'A setting'} is not set by it; write it as NAME=value."


def _line(binding: Binding) -> int:
    """Return the number of the line; the parser counts blank lines in front of it as its own."""
    text = binding.original.string
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", text[: len(text) - len(text.lstrip())]))

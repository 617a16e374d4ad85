"""Remove Claude Code's billing line from system prompts.

The line is the first thing in the prompt, says nothing to the model, and has a hash that changes with every request.
Prompt caches compare from the start, so that it would cost the processing of the whole prompt (llama.cpp#20623).
"""

from __future__ import annotations

import re
from typing import Any

BILLING_LINE = "x-anthropic-billing-header"

_LINE = re.compile(rf"{BILLING_LINE}:(?:(?:[ \t]*\w+=[^;\s]*(?:;|(?=\s|$)))+|[^\n]*)\s*")
"""The line as far as it has ``name=value;`` pairs: proxies write the next block behind them without a line end."""


def without_billing_line(system: Any) -> Any:
    """Return a system prompt, a text or a list of text blocks, without the line; equal to ``system`` if it has none.

    A block of which nothing remains is dropped; None if that was all. The line counts only at the start of a block.
    """
    if isinstance(system, str):
        line = _LINE.match(system)
        return system if line is None else system[line.end() :] or None
    if not isinstance(system, list):
        return system
    blocks = [block for block in map(_without_line, system) if block is not None]
    return blocks or None if system else system


def _without_line(block: Any) -> Any:
    text = block.get("text") if isinstance(block, dict) else None
    rest = without_billing_line(text) if isinstance(text, str) else text
    if rest == text:
        return block
    return None if rest is None else {**block, "text": rest}

"""Claude Code's billing line is removed from the start of a system prompt, and nothing else is."""

from __future__ import annotations

import pytest

from flask_shim.translate.billing_line import without_billing_line
from flask_shim.translate.chat_turns import text_part

LINE = "x-anthropic-billing-header: cc_version=2.1.37.0d9; cc_entrypoint=cli; cch=fa690;"
CLAUDE = "You are Claude Code."


@pytest.mark.parametrize(
    ("system", "rest"),
    [
        (LINE, None),
        (f"{LINE}\n", None),
        (f"{LINE}\n{CLAUDE}", CLAUDE),
        (f"{LINE}\n\n{CLAUDE}\n", f"{CLAUDE}\n"),
        (f"{LINE}{CLAUDE}", CLAUDE),
        (f"{LINE} cc_is_subagent=true;\n{CLAUDE}", CLAUDE),
        (f"{LINE.rstrip(';')}\n{CLAUDE}", CLAUDE),
        (f"x-anthropic-billing-header: of another form\n{CLAUDE}", CLAUDE),
        ([text_part(LINE)], None),
        ([text_part(LINE), text_part(CLAUDE)], [text_part(CLAUDE)]),
        ([{**text_part(f"{LINE}\n{CLAUDE}"), "cache_control": {}}], [{**text_part(CLAUDE), "cache_control": {}}]),
    ],
)
def test_the_line_is_removed_with_what_it_leaves_empty(system, rest):
    assert without_billing_line(system) == rest


@pytest.mark.parametrize(
    "system",
    [
        None,
        "",
        [],
        CLAUDE,
        f" {LINE}",
        f"Never send {LINE}",
        f"{CLAUDE}\n{LINE}",
        "x-anthropic-billing-headers: one",
        [text_part(CLAUDE), text_part("")],
        [{"type": "text"}, {"text": 5}, LINE, 7],
    ],
)
def test_anything_else_stays_as_it_is(system):
    assert without_billing_line(system) == system

"""Fill the empty answers in docs/example_requests.md with what the demo says, cut to a readable length.

python tools/example_answers.py        from the top of the checkout
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.example_demo import ExampleDemo, text_of
from support.examples import LANGUAGES, MORE, PAGE, requests_in, sections

WIDTH = 118
MOST_ITEMS, MOST_LINES = 2, 6

_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Fill the page."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, ExampleDemo(Path(folder)) as demo:
        for section in sections(page).values():
            demo.reset()
            page = page.replace(section, filled(section, demo))
    PAGE.write_text(page, encoding="utf-8", newline="\n")


def filled(section: str, demo: ExampleDemo) -> str:
    """Return the section with an answer in every empty block; what is asked in the shell's way is asked here."""
    answer = ""

    def fill(block: re.Match[str]) -> str:
        nonlocal answer
        if block["kind"] in LANGUAGES:
            for asked in requests_in(block["text"], block["kind"]) if block["kind"] == LANGUAGES[0] else ():
                response = demo.ask(asked)
                answer = text_of(response)
                print(response.status_code, asked.method, asked.path)  # noqa: T201
            return block[0]
        return block[0] if block["text"].strip() else f"```{block['kind']}\n{_short(answer, block['kind'])}```"

    return _BLOCK.sub(fill, section)


def _short(answer: str, kind: str) -> str:
    if kind == "json":
        return _pretty(_fewer(json.loads(answer))) + "\n"
    lines = [line for line in answer.splitlines() if line]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_ITEMS], MORE, *lines[-MOST_ITEMS:]]
    return "".join(f"{line}\n" for line in lines)


def _fewer(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fewer(one) for key, one in value.items()}
    if isinstance(value, list):
        is_long = len(value) > MOST_ITEMS and isinstance(value[0], dict | float)
        return [*map(_fewer, value[:1]), MORE] if is_long else list(map(_fewer, value))
    return value


def _pretty(value: Any, indent: str = "") -> str:
    """Return JSON with everything on one line that fits there."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) < WIDTH or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {_pretty(one, inner)}" for key, one in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _pretty(one, inner) for one in value) + f"\n{indent}]"


if __name__ == "__main__":
    main()

"""The examples in docs/example_requests.md: which there are, what each asks, and whether an answer is the one shown.

A section is a heading of the third level with blocks below it: requests (``bash`` with curl, or ``powershell``), each
followed by its answer (``json``: one value; ``text``: lines). A status other than 200 stands at the end of the line
before the answer. Where ``...`` is in a list, in an object or on a line of its own, there may be more of the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import curl, powershell
from support.curl import ExampleRequest

PAGE = Path(__file__).parents[2] / "docs" / "example_requests.md"
MORE = "..."
LANGUAGES = ("bash", "powershell")

_BLOCK = re.compile(r"^(?P<before>[^\n]*)\n+```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"\b([1-5]\d\d):$")


@dataclass(frozen=True)
class Example:
    """A request and its answer: the status and the block that shows the rest."""

    asked: ExampleRequest
    status: int
    kind: str
    answer: str


def sections(page: str) -> dict[str, str]:
    """Return the text below each heading of the third level."""
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)[1:]
    return {heading: body.partition("\n## ")[0] for heading, body in zip(parts[::2], parts[1::2], strict=True)}


def examples(section: str, language: str) -> Iterator[Example]:
    """Yield the examples of a section that are written in one language."""
    waiting: list[ExampleRequest] = []
    for block in _BLOCK.finditer(section):
        if block["kind"] in LANGUAGES:
            if block["kind"] == language:
                waiting.extend(requests_in(block["text"], language))
            continue
        status = _STATUS.search(block["before"])
        for asked in waiting:
            yield Example(asked, int(status[1]) if status else 200, block["kind"], block["text"])
        waiting.clear()
    assert not waiting, f"no answer is shown to {waiting}"


def requests_in(block: str, language: str) -> Iterator[ExampleRequest]:
    """Yield the requests of a block."""
    return curl.requests_in(block) if language == "bash" else powershell.requests_in(block)


def differences(example: Example, answer: str) -> list[str]:
    """Say in which ways an answer is not the one shown."""
    if example.kind == "json":
        return list(_differences(json.loads(example.answer), json.loads(answer), "answer"))
    return list(_line_differences(_lines(example.answer), _lines(answer)))


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def _line_differences(shown: Sequence[str], got: Sequence[str]) -> Iterator[str]:
    """Compare lines; where ``...`` stands, any number of lines is skipped until the next one shown."""
    at = 0
    for number, line in enumerate(shown):
        if line == MORE:
            continue
        may_skip = number > 0 and shown[number - 1] == MORE
        places = range(at, len(got)) if may_skip else range(at, min(at + 1, len(got)))
        found = next((place for place in places if not list(_in_line(line, got[place]))), None)
        if found is None:
            yield f"not there: {line}" if may_skip or at >= len(got) else next(iter(_in_line(line, got[at])))
            return
        at = found + 1
    if at < len(got) and shown[-1:] != [MORE]:
        yield f"more than shown: {got[at:]}"


def _in_line(shown: str, got: str) -> Iterator[str]:
    """Compare two lines as JSON, if they are: bare, or as the data of an event."""
    (mark, value), (got_mark, got_value) = map(_parsed, (shown, got))
    if mark != got_mark:
        yield f"{got!r} is not {shown!r}"
    else:
        yield from _differences(value, got_value, shown[:40])


def _parsed(line: str) -> tuple[str, Any]:
    mark, rest = ("data: ", line[6:]) if line.startswith("data: ") else ("", line)
    try:
        return mark, json.loads(rest)
    except ValueError:
        return mark, rest


_VARYING = {
    *("lmstudio", "created", "created_at", "completed_at", "modified_at", "expires_at", "load_time_seconds"),
    *("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
    *("cached_tokens", "cache_read_input_tokens", "prompt_eval_cached_count", "system_fingerprint", "request_id", "id"),
}
"""What is another one each time, or depends on the machine; of it only the type is compared, of ``id`` the start."""


def _differences(shown: Any, got: Any, where: str) -> Iterator[str]:
    key = where.rpartition(".")[2]
    if isinstance(shown, dict) and isinstance(got, dict):
        yield from _in_object(shown, got, where)
    elif isinstance(shown, list) and isinstance(got, list):
        yield from _in_list(shown, got, where)
    elif isinstance(shown, float) and isinstance(got, float):
        if not math.isclose(shown, got, rel_tol=0.01, abs_tol=0.01) and key not in _VARYING:
            yield f"{where} is {got}, not {shown}"
    elif key in _VARYING and type(shown) is type(got):
        if key == "id" and re.match(r"[a-z]+[-_]|", shown)[0] != re.match(r"[a-z]+[-_]|", got)[0]:  # type: ignore[index]
            yield f"{where} is {got!r}, not like {shown!r}"
    elif shown != got or type(shown) is not type(got):
        yield f"{where} is {got!r}, not {shown!r}"


def _in_object(shown: dict[str, Any], got: dict[str, Any], where: str) -> Iterator[str]:
    wanted = [key for key in shown if key != MORE]
    yield from (f"{where}.{key} is missing" for key in wanted if key not in got)
    if MORE not in shown:
        yield from (f"{where}.{key} is not shown" for key in got if key not in shown)
    for key in wanted:
        if key in got:
            yield from _differences(shown[key], got[key], f"{where}.{key}")


def _in_list(shown: list[Any], got: list[Any], where: str) -> Iterator[str]:
    wanted = [item for item in shown if item != MORE]
    if (len(got) != len(wanted) and MORE not in shown) or len(got) < len(wanted):
        yield f"{where} has {len(got)} items, not {len(wanted)}"
    for number, (one, other) in enumerate(zip(wanted, got, strict=False)):
        yield from _differences(one, other, f"{where}[{number}]")
    for other in got[len(wanted) :] if isinstance(wanted[:1], list) and wanted else []:
        if type(other) is not type(wanted[0]):
            yield f"{where} has {other!r} in it"

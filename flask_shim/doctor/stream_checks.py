"""Rules for streamed chats, and whether tokens arrive as they are generated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson

from flask_shim.doctor.answer_rules import as_dict
from flask_shim.doctor.findings import Finding, note, ok, warn
from flask_shim.doctor.probe import ProbeResponse

_NS = 1_000_000_000

SHORTEST_SECONDS = 0.3
"""A faster answer may arrive in one piece."""

HELD_BACK_PART = 0.5
"""A stream that arrives in less than this part of its generation time was buffered on the way."""

_COUNTS = ("total_duration", "prompt_eval_count", "eval_count", "eval_duration")


def lines_of_json(response: ProbeResponse) -> str:
    """Require lines of JSON, none of them empty, each with a text, the last one done and with counts."""
    if not response.body.endswith(b"\n"):
        return "the last line has no end"
    lines = response.body.split(b"\n")[:-1]
    records = [record for record in map(_object, lines) if record is not None]
    if len(records) < len(lines):
        return "a line is not a JSON object"
    if error := next((record["error"] for record in records if "error" in record), None):
        return f"it ended with an error: {error}"
    if not all(isinstance(as_dict(record.get("message")).get("content"), str) for record in records):
        return "a line without content"
    last = records[-1] if records else {}
    if last.get("done") is not True:
        return "it ended before it was done"
    wrong = [name for name in _COUNTS if type(last.get(name)) is not int]
    return f"{wrong[0]} is {last.get(wrong[0])!r}" if wrong else ""


def chat_events(response: ProbeResponse) -> str:
    """Require OpenAI's chat events, with a reason for the end, and [DONE]."""
    events = _events(response)
    if error := _error_in(events):
        return f"it ended with an error: {error}"
    if "[DONE]" not in response.body.decode("utf-8", "replace"):
        return "it ended without [DONE]"
    choices = [choice for event in events for choice in event.get("choices") or ()]
    return "" if any(choice.get("finish_reason") for choice in choices) else "no finish_reason"


def response_events(response: ProbeResponse) -> str:
    """Require the events of OpenAI's Responses that Codex waits for."""
    return _missing(response, "response.created", "response.output_item.done", "response.completed")


def message_events(response: ProbeResponse) -> str:
    """Require the events of Anthropic's Messages."""
    return _missing(response, "message_start", "content_block_delta", "message_delta", "message_stop")


def _missing(response: ProbeResponse, *kinds: str) -> str:
    events = _events(response)
    if error := _error_in(events):
        return f"it ended with an error: {error}"
    found = {event.get("type") for event in events}
    missing = [kind for kind in kinds if kind not in found]
    return f"no event {missing[0]}" if missing else ""


def judge_pace(response: ProbeResponse) -> Iterator[Finding]:
    """Compare the arrival of the lines of /api/chat with the generation time in the last one."""
    last = _object(response.body.rstrip(b"\n").rpartition(b"\n")[2]) or {}
    tokens, seconds = last.get("eval_count"), last.get("eval_duration")
    if not isinstance(tokens, int) or not isinstance(seconds, int) or not response.arrivals:
        return
    made_in = seconds / _NS
    began, took = response.arrivals[0], response.arrivals[-1] - response.arrivals[0]
    measured = f"{tokens} tokens generated in {made_in:.2f} s"
    if made_in < SHORTEST_SECONDS:
        yield note("pace", f"{measured}: too fast to tell whether a program on the way buffers the stream")
    elif took < made_in * HELD_BACK_PART:
        yield warn(
            "pace",
            f"{measured} arrived within {took:.2f} s: a program on the way buffers them",
            "Switch off buffering and compression in the proxy in front (nginx: proxy_buffering off; "
            'IIS: responseBufferLimit="0"), or in the antivirus program that scans web traffic.',
        )
    else:
        yield ok(
            "pace", f"the stream began after {began:.2f} s, {tokens / made_in:.0f} tokens per second, without buffering"
        )


def _events(response: ProbeResponse) -> list[dict[str, Any]]:
    data = re.findall(rb"(?m)^data:[ ]?(.*?)\r?$", response.body)
    return [event for event in map(_object, data) if event is not None]


def _error_in(events: Sequence[dict[str, Any]]) -> str:
    errors = (event.get("error") for event in events)
    error = next((one for one in errors if one), None)
    return str(error.get("message", error) if isinstance(error, dict) else error) if error else ""


def _object(line: bytes) -> dict[str, Any] | None:
    with suppress(orjson.JSONDecodeError):  # not JSON, so no object
        value = orjson.loads(line)
        return value if isinstance(value, dict) else None
    return None

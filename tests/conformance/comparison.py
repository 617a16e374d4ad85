"""How an answer is compared with its row, and what every answer has to be like."""

from __future__ import annotations

from typing import Any

from conformance.row import NDJSON, SSE, Many, Row
from support.raw_http import Reply, strict_json
from support.shapes import Shape, fault_in
from werkzeug.http import HTTP_STATUS_CODES


def compare(reply: Reply, row: Row) -> None:
    """Fail unless the answer is what the row says and sound as such."""
    assert fault_in(reply.status, row.status) is None, f"{reply.status}: {reply.text[:400]}"
    _has_sound_head(reply)
    _is(reply.header("Content-Type"), row.type, "Content-Type")
    for name, expected in row.sent.items():
        _is(reply.header(name), expected, name)
    assert row.raw in reply.text
    if row.method != "HEAD":
        _has_body(reply, row)


def _is(actual: str | None, expected: Any, what: str) -> None:
    assert expected.fits(actual) if isinstance(expected, Shape) else actual == expected, f"{what} is {actual}"


def _has_sound_head(reply: Reply) -> None:
    assert reply.protocol == "HTTP/1.1"
    assert reply.reason == HTTP_STATUS_CODES[reply.status]
    assert reply.header("Date")
    assert reply.header("Server") is None
    assert reply.status == 301 or "html" not in (reply.header("Content-Type") or "")
    assert b"<html" not in reply.body.lower()


def _has_body(reply: Reply, row: Row) -> None:
    if row.text is not None:
        assert reply.text == row.text
    if row.json is not ...:
        assert fault_in(reply.json, row.json) is None, fault_in(reply.json, row.json)
        is_native = row.path.startswith("/api/")
        assert not (is_native and reply.text.endswith("\n")), "a native object ends with a line end"
    if row.lines is not None:
        assert row.type == NDJSON
        _in_order(lines_of(reply), row.lines)
    if row.events is not None:
        assert row.type == SSE
        _in_order(events_of(reply), row.events)


def lines_of(reply: Reply) -> list[Any]:
    """Return the values of an NDJSON stream, which has no blank line and ends with a line end."""
    assert reply.blocks is not None, "a stream is not chunked"
    assert reply.text.endswith("\n")
    assert "\r" not in reply.text
    lines = reply.text[:-1].split("\n")
    assert all(lines), "a blank line"
    return [strict_json(line) for line in lines]


def events_of(reply: Reply) -> list[Any]:
    """Return the events of an SSE stream as (event name or None, value); comments are left out."""
    assert reply.text.endswith("\n\n")
    return [_event(block) for block in reply.text[:-2].split("\n\n") if not block.startswith(":")]


def _event(block: str) -> Any:
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    assert set(fields) <= {"event", "data"}, fields
    data = fields["data"]
    value = data if data == "[DONE]" else strict_json(data)
    return (fields["event"], value) if "event" in fields else value


def _in_order(found: list[Any], expected: list[Any]) -> None:
    """Fail unless the values are as expected, one after the other, with no value left."""
    rest = list(found)
    for position, shape in enumerate(expected):
        if not isinstance(shape, Many):
            assert rest, f"the stream ends before {shape}"
            fault = _fault(rest.pop(0), shape)
            assert fault is None, fault
            continue
        behind = [one for one in expected[position + 1 :] if not isinstance(one, Many)]
        count = 0
        while rest and _fault(rest[0], shape.shape) is None:
            if len(rest) == len(behind):
                break
            rest.pop(0)
            count += 1
        assert count >= shape.least, _fault(rest[0], shape.shape) if rest else f"too few of {shape.shape}"
    assert not rest, f"more than expected: {rest[:2]}"


def _fault(value: Any, shape: Any) -> str | None:
    if isinstance(shape, tuple):
        name, shape = shape
        if not isinstance(value, tuple) or fault_in(value[0], name):
            return f"no event {name}: {value}"
        value = value[1]
    return fault_in(value, shape)

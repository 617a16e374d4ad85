"""What the doctor makes of streams: their form, and whether they come while they are made."""

from __future__ import annotations

import json

import pytest

from flask_shim.doctor import stream_checks

TEXT = {"message": {"role": "assistant", "content": "one"}, "done": False}
COUNTS = {"total_duration": 2, "prompt_eval_count": 1, "eval_count": 3, "eval_duration": 1}
DONE = {"message": {"role": "assistant", "content": ""}, "done": True, **COUNTS}


def ndjson(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def sse(*events):
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def chat(finish_reason):
    return {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": finish_reason}]}


def kinds(*names):
    return sse(*({"type": name} for name in names))


@pytest.mark.parametrize(
    ("rule", "body", "fault"),
    [
        (stream_checks.lines_of_json, ndjson(TEXT, DONE), ""),
        (stream_checks.lines_of_json, ndjson(TEXT, DONE).rstrip(), "the last line has no end"),
        (stream_checks.lines_of_json, b"\n" + ndjson(DONE), "a line is not a JSON object"),
        (stream_checks.lines_of_json, b"data: {}\n", "a line is not a JSON object"),
        (stream_checks.lines_of_json, ndjson(TEXT), "it ended before it was done"),
        (stream_checks.lines_of_json, ndjson(TEXT, {"error": "it crashed"}), "it ended with an error: it crashed"),
        (stream_checks.lines_of_json, ndjson({"message": {"content": None}}, DONE), "a line without content"),
        (stream_checks.lines_of_json, ndjson(DONE | {"eval_count": None}), "eval_count is None"),
        (stream_checks.lines_of_json, ndjson(DONE | {"eval_duration": 1.5}), "eval_duration is 1.5"),
        (stream_checks.lines_of_json, b"", "the last line has no end"),
        (stream_checks.chat_events, sse(chat(None), chat("stop")) + b"data: [DONE]\n\n", ""),
        (stream_checks.chat_events, sse(chat("stop")), "it ended without [DONE]"),
        (stream_checks.chat_events, sse(chat(None)) + b"data: [DONE]\n\n", "no finish_reason"),
        (stream_checks.chat_events, sse({"error": {"message": "no"}}), "it ended with an error: no"),
        (
            stream_checks.response_events,
            kinds("response.created", "response.output_item.done", "response.completed"),
            "",
        ),
        (stream_checks.response_events, kinds("response.created"), "no event response.output_item.done"),
        (
            stream_checks.message_events,
            kinds("message_start", "content_block_delta", "message_delta", "message_stop"),
            "",
        ),
        (stream_checks.message_events, kinds("message_start"), "no event content_block_delta"),
        (
            stream_checks.message_events,
            sse({"type": "error", "error": {"message": "no"}}),
            "it ended with an error: no",
        ),
    ],
)
def test_form_is_judged(response, rule, body, fault):
    assert rule(response(body)) == fault


@pytest.mark.parametrize(
    ("made_in", "arrivals", "level"),
    [
        (2.0, (0.1, 0.7, 1.4, 2.0), "ok"),
        (2.0, (2.1, 2.1, 2.11), "warn"),
        (2.0, (2.1,), "warn"),
        (2.0, (0.1, 1.9, 1.95, 2.0), "ok"),
        (0.1, (0.2,), "note"),
    ],
)
def test_pace_is_judged_by_the_time_it_was_made_in(response, made_in, arrivals, level):
    last = DONE | {"eval_count": 40, "eval_duration": int(made_in * 1e9)}
    (finding,) = stream_checks.judge_pace(response(ndjson(TEXT, last), arrivals=arrivals))
    assert (finding.code, finding.level.value) == ("pace", level)


@pytest.mark.parametrize("body", [b"", b"<html>", ndjson(TEXT)])
def test_pace_without_timings_is_not_judged(response, body):
    assert list(stream_checks.judge_pace(response(body, arrivals=(0.1,)))) == []

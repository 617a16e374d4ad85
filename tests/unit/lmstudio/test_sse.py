"""Events come out of the bytes the same, and a forwarded stream is cut between events, however its bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut, one_by_one

from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.http.sse import EventCutter, SseSplitter

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINE = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)) | st.sampled_from("\u2028\x85\x0b:{")
)
IGNORED = st.lists(
    st.sampled_from([b": ping", b":", b"id: 7", b"retry: 100", b"event: message", b"event:", b"unknown"]), max_size=2
)
EVENTS = st.lists(st.tuples(IGNORED, st.lists(LINE, min_size=1, max_size=3), IGNORED), max_size=5)


def encoded(events, end, bom=False):
    """Return the bytes of the events; lines are written with and without the blank after the colon."""
    lines = [b"\xef\xbb\xbf"] if bom else []
    for before, data, after in events:
        for line in [*before, *(b"data: " + line.encode() for line in data), *after, b""]:
            lines += [line, end]
    return b"".join(lines)


def payloads_of(blocks):
    splitter = SseSplitter()
    return [payload for block in blocks for payload in splitter.feed(block)] + splitter.flush()


def looks_like_several(lines):
    """Lines that are objects each are taken for events whose blank lines were forgotten."""
    return len(lines) > 1 and all((line[:1] == "{" and line[-1:] == "}") or line == "[DONE]" for line in lines)


@given(EVENTS, LINE_ENDS, st.booleans(), PLACES)
def test_any_cut_and_any_line_end_give_the_same_events(events, end, bom, places):
    found = [data if looks_like_several(data) else ["\n".join(data)] for _, data, _ in events]
    expected = [payload.encode() for payloads in found for payload in payloads]
    assert payloads_of(cut(encoded(events, end, bom), places)) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_single_bytes_give_the_same_events(end):
    text = '{"content":"a\u2028b\x85c こんにちは 🌸"}'
    data = encoded(
        [([b": hello"], [text], []), ([b"event: x"], ["one", "two"], [b"id: 1"]), ([], ["[DONE]"], [])], end, True
    )
    assert payloads_of(one_by_one(data)) == [text.encode(), b"one\ntwo", b"[DONE]"]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_an_event_is_there_as_soon_as_its_blank_line_is(end):
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1" + end + b"data: 2") == [b"1"]
    assert splitter.feed(end) == [b"2"]


@pytest.mark.parametrize(
    ("sent", "payloads"),
    [
        (b"data:1\n\n", [b"1"]),
        (b"data:  1\n\n", [b" 1"]),
        (b"data\n\n", [b""]),
        (b"data: 1\n\n\n\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"\n\ndata: 1\n\n", [b"1"]),
        (b": ping\n\n", []),
        (b"event: ping\n\n", []),
        (b'data: {"a":1}\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
        (b'data: {"a":1}\ndata: [DONE]\n\n', [b'{"a":1}', b"[DONE]"]),
        (b'data: {\ndata: "a": 1\ndata: }\n\n', [b'{\n"a": 1\n}']),
    ],
)
def test_odd_events_are_read(sent, payloads):
    assert SseSplitter().feed(sent) == payloads


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (b'{"error":{"message":"x"},"message":"x"}', b'{"error":{"message":"x"},"message":"x"}'),
        (b'{"message":"x"}', b'{"error":{"message":"x"}}'),
        (b'"The model has crashed"', b'{"error":"The model has crashed"}'),
        (b"The model has crashed", b'{"error":"The model has crashed"}'),
    ],
)
def test_an_event_named_error_is_an_error_whatever_its_data(data, payload):
    assert SseSplitter().feed(b"event: error\ndata: " + data + b"\n\n") == [payload]


@pytest.mark.parametrize(
    ("rest", "payloads"), [(b"data: 2", [b"2"]), (b"data: 2\r", [b"2"]), (b": bye", []), (b"", [])]
)
def test_flush_gives_the_event_that_the_end_cut_off(rest, payloads):
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1\n\n" + rest) == [b"1"]
    assert splitter.flush() == payloads


def test_an_event_without_end_is_refused_at_the_limit():
    splitter = SseSplitter(limit=1000)
    splitter.feed(b"data: " + b"x" * 994)
    with pytest.raises(BackendProtocolError):
        splitter.feed(b"x")


def test_events_up_to_the_limit_are_read_in_order():
    splitter = SseSplitter(limit=1000)
    sent = [b"data: " + b"x" * 900, b"\n\n"] * 5
    assert [len(payload) for block in sent for payload in splitter.feed(block)] == [900] * 5


class Counting(SseSplitter):
    """Counts the bytes that are put together from blocks: what makes a splitter quadratic."""

    joined = 0

    def _take(self, chunk):
        text = super()._take(chunk)
        self.joined += len(text)
        return text


@pytest.mark.parametrize(
    "line", [b"x" * 1024, b"x" * 1021 + b"\n", b"\n" + b"x" * 1021, b"x" * 1018 + b"\r\n", b"\r" + b"x" * 1019]
)
def test_every_byte_of_a_long_event_is_handled_once(line):
    block = b"data:" + line
    splitter = Counting(limit=8 << 20)
    size = 4 << 20
    for _ in range(size // len(block)):
        assert splitter.feed(block) == []
    assert splitter.feed(b"\n\n")
    assert splitter.joined < 1.01 * size


SOUND_EVENTS = [b"data: {}", b": a comment", b"event: x\ndata: 1\ndata: 2", b"data: \xc3\xa9", b"id: 7"]
ENDS = [b"\n\n", b"\r\n\r\n", b"\r\r"]


def pieces(cutter, chunks):
    return [piece for chunk in chunks if (piece := cutter.feed(chunk))]


@given(st.lists(st.tuples(st.sampled_from(SOUND_EVENTS), st.sampled_from(ENDS))), PLACES)
def test_bytes_stay_the_same_and_every_piece_ends_with_an_event(events, places):
    stream = b"".join(event + end for event, end in events)
    cutter = EventCutter()
    got = pieces(cutter, cut(stream, places))
    assert b"".join(got) + cutter.flush() == stream
    assert all(piece.endswith(tuple(ENDS)) for piece in got)
    assert cutter.flush() == b""


@given(PLACES)
def test_what_has_no_end_is_kept_and_nothing_else(places):
    cutter = EventCutter()
    got = pieces(cutter, cut(b"data: 1\n\ndata: 2\r\n\r\ndata: thr", places))
    assert b"".join(got) == b"data: 1\n\ndata: 2\r\n\r\n"
    assert cutter.flush() == b"data: thr"


@pytest.mark.parametrize("end", ENDS)
def test_complete_event_is_sent_at_once(end):
    assert EventCutter().feed(b"data: 1" + end) == b"data: 1" + end


def test_long_event_takes_linear_time():
    cutter = EventCutter(limit=1 << 30)
    for _ in range(20_000):
        assert cutter.feed(b"x" * 1000) == b""
    assert len(cutter.feed(b"\n\n")) == 20_000_002


def test_event_that_never_ends_is_not_kept_forever():
    cutter = EventCutter(limit=1000)
    assert cutter.feed(b"data: 1\n\n" + b"x" * 600) == b"data: 1\n\n"
    with pytest.raises(BackendProtocolError):
        cutter.feed(b"x" * 600)

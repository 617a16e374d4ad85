"""A stream of events cut where events end, however its bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut

from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.http.sse import EventCutter

EVENTS = [b"data: {}", b": a comment", b"event: x\ndata: 1\ndata: 2", b"data: \xc3\xa9", b"id: 7"]
ENDS = [b"\n\n", b"\r\n\r\n", b"\r\r"]


def pieces(cutter, chunks):
    return [piece for chunk in chunks if (piece := cutter.feed(chunk))]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from(ENDS))), PLACES)
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


def test_event_that_never_ends_is_not_kept_for_ever():
    cutter = EventCutter(limit=1000)
    assert cutter.feed(b"data: 1\n\n" + b"x" * 600) == b"data: 1\n\n"
    with pytest.raises(BackendProtocolError):
        cutter.feed(b"x" * 600)

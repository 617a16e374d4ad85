"""A character whose halves came in two events is whole in the second one; other halves become U+FFFD."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut

from flask_shim.lmstudio.http.sse import EventCutter, SseSplitter
from flask_shim.lmstudio.http.surrogates import join_halves, replace_halves


@pytest.mark.parametrize(
    ("sent", "settled"),
    [
        ([rb'{"a":"x\ud83d"}', rb'{"a":"\ude00y"}'], [b'{"a":"x"}', rb'{"a":"\ud83d\ude00y"}']),
        ([rb'{"a":"\uD83D"}', rb'{"a":"\uDE00"}', b"[DONE]"], [b'{"a":""}', rb'{"a":"\uD83D\uDE00"}', b"[DONE]"]),
        (
            [rb'{"a":"\ud83d"}', rb'{"a":"\ude00\ud83d"}', rb'{"a":"\ude00"}'],
            [b'{"a":""}', rb'{"a":"\ud83d\ude00"}', rb'{"a":"\ud83d\ude00"}'],
        ),
        ([rb'{"a":"\ud83d"}', b'{"a":"x"}'], [rb'{"a":"\ufffd"}', b'{"a":"x"}']),
        ([rb'{"a":"\ud83d"}', b"[DONE]"], [rb'{"a":"\ufffd"}', b"[DONE]"]),
        ([rb'{"a":"\ud83d"}'], [rb'{"a":"\ufffd"}']),
        ([b'{"a":"x"}', rb'{"a":"\ude00"}'], [b'{"a":"x"}', rb'{"a":"\ufffd"}']),
        ([rb'{"a":"{\"b\":\"\ud83d"}', rb'{"a":"\ude00\"}"}'], [rb'{"a":"{\"b\":\""}', rb'{"a":"\ud83d\ude00\"}"}']),
        ([rb'{"a":"\\ud83d"}', rb'{"a":"\\\ude00"}'], [rb'{"a":"\\ud83d"}', rb'{"a":"\\\ufffd"}']),
        ([rb'{"a":"\\\ud83d"}', rb'{"a":"\ude00"}'], [rb'{"a":"\\"}', rb'{"a":"\ud83d\ude00"}']),
    ],
)
def test_halves_of_characters_are_joined_or_replaced(sent, settled):
    assert join_halves(None, sent, at_end=True) == (settled, None)


UNITS = st.lists(st.sampled_from(["a", "\\", '"', "\ud83d", "\ude00", "u", "\n", "é"]), max_size=12)


@given(UNITS)
def test_replacing_halves_does_what_utf16_does(units):
    text = "".join(units)
    literal = b'"%b"' % b"".join(
        b"\\u%04x" % ord(unit) if ord(unit) > 127 else orjson.dumps(unit)[1:-1] for unit in text
    )
    assert orjson.loads(replace_halves(literal)) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(PLACES)
def test_events_in_any_blocks_have_whole_characters(places):
    texts = [r"a\ud83d", r"\ude00", "b", r"\ud83d\ude00", r"\ud83d", "c", r"\ud83d"]
    stream = b"".join(b'data: "%b"\n\n' % text.encode() for text in texts)
    splitter, cutter = SseSplitter(), EventCutter()
    payloads = [payload for block in cut(stream, places) for payload in splitter.feed(block)] + splitter.flush()
    joined = ["a", "😀", "b", "😀", "\ufffd", "c", "\ufffd"]
    assert [orjson.loads(payload) for payload in payloads] == joined
    forwarded = b"".join([*map(cutter.feed, cut(stream, places)), cutter.flush()])
    assert [orjson.loads(event.removeprefix(b"data: ")) for event in forwarded.split(b"\n\n")[:-1]] == joined

"""Events of a stream, as the backends send them and as they send them on bad days."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.lmstudio.completion_events import (
    CallDelta,
    Choice,
    Event,
    EventDecoder,
    Usage,
    decode_event,
)
from flask_shim.lmstudio.errors import BackendProtocolError


def choice_of(payload):
    return decode_event(payload if isinstance(payload, bytes) else json.dumps(payload).encode()).choices[0]


def delta(**fields):
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def test_a_token_is_read():
    event = decode_event(
        b'{"id":"chatcmpl-x","object":"chat.completion.chunk","created":1772000000,"model":"m","system_fingerprint":"m",'
        b'"choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"logprobs":null,"finish_reason":null}]}'
    )
    assert event == Event(choices=[Choice("Hel")])


@pytest.mark.parametrize("field", ["delta", "message"])
@pytest.mark.parametrize("name", ["content", "reasoning_content"])
def test_a_text_in_parts_is_read(field, name):
    parts = [{"type": "text", "text": "Hel"}, {"type": "image_url"}, "?", {"text": 1}, {"type": "text", "text": "lo"}]
    choice = choice_of({"choices": [{field: {name: parts}}]})
    assert (choice.text or choice.thinking) == "Hello"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thinking_is_read_under_either_name(name):
    assert choice_of(delta(**{name: "Hm"})).thinking == "Hm"


def test_a_fragment_of_a_call_is_read():
    fragment = {"index": 0, "id": "814890118", "type": "function", "function": {"name": "f", "arguments": "{"}}
    assert choice_of(delta(tool_calls=[fragment])).tool_calls == [
        CallDelta(index=0, id="814890118", name="f", arguments="{")
    ]


def test_usage_beside_no_choices_is_read():
    event = decode_event(b'{"choices":[],"usage":{"prompt_tokens":24,"completion_tokens":2,"total_tokens":26}}')
    assert (event.choices or [], event.usage) == ([], Usage(24, 2))


def test_the_engines_clock_is_read():
    assert decode_event(b'{"choices":[],"timings":{"prompt_ms":1.5},"stats":{"x":1}}').timings == {"prompt_ms": 1.5}


@pytest.mark.parametrize("error", ["text", {"message": "text"}])
def test_an_error_is_read(error):
    sent = json.dumps({"error": error}).encode()
    assert decode_event(sent).error == sent


@pytest.mark.parametrize("reason", ["abort", "error"])  # of vLLM and SGLang (vllm#57082), and of KoboldCpp
@pytest.mark.parametrize("key", ["delta", "message"])
def test_an_answer_that_the_backend_gave_up_is_an_error(reason, key):
    choice = {"index": 0, key: {"content": "Hel"}, "finish_reason": reason}
    event = decode_event(json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3}}).encode())
    text = f"LM Studio stopped before the end of its answer (finish_reason {reason})"
    assert json.loads(event.error) == {"error": text}


def test_the_reason_of_a_failure_is_the_error_that_comes_with_it():
    sent = json.dumps({"choices": [{"delta": {}, "finish_reason": "error"}], "error": {"message": "boom"}}).encode()
    assert decode_event(sent).error == sent


def test_the_whole_message_that_comes_with_each_delta_is_not_read():
    for piece in ("Hel", ""):
        sent = {"choices": [{"delta": {"content": piece} if piece else {}, "message": {"content": "Hello"}}]}
        assert (choice_of(json.dumps(sent).encode()).text or "") == piece


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (rb'{"choices":[{"delta":{"content":"a\ud83db"}}]}', "a\ufffdb"),
        (rb'{"choices":[{"delta":{"content":"\ude00\ud83d"}}]}', "\ufffd\ufffd"),
        (rb'{"choices":[{"delta":{"content":"\ud83d\ude00"}}]}', "😀"),
        (b'{"choices":[{"delta":{"content":"x"},"logprobs":NaN}]}', "x"),
        (b'{"choices":[{"delta":{"content":"x"},"score":Infinity}]}', "x"),
        (b'{"choices":[{"delta":{"content":"x","tool_calls":"none"}}]}', "x"),
        (b'{"choices":[{"delta":{"content":"x","tool_calls":{}}}],"usage":[]}', "x"),
        (b'{"choices":[{"delta":{"content":"x"},"finish_reason":7}],"timings":3,"stats":"fast"}', "x"),
        (b'{"choices":[null,{"delta":{"content":"x"}}]}', "x"),
        (b'{"choices":[{"delta":{"content":["x"]}}]}', None),
        (b'{"choices":[{"delta":{"content":5}}]}', None),
        (b'{"choices":[{"delta":{"content":null}}]}', None),
        (b'{"choices":[{"delta":{}}]}', None),
    ],
)
def test_malformed_choices_are_read_as_far_as_possible(sent, content):
    assert choice_of(sent).text == content


@pytest.mark.parametrize(
    "sent", [b'{"choices":null}', b'{"choices":{}}', b'{"choices":"none"}', b'{"choices":[1]}', b"{}"]
)
def test_without_choices_there_are_none(sent):
    assert not decode_event(sent).choices


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": None, "completion_tokens": 3}, Usage(0, 3)),
        ({"prompt_tokens": 2.0, "completion_tokens": 3}, Usage(2, 3)),
        ({"prompt_tokens": "2", "completion_tokens": 3}, Usage(0, 3)),
        ({"prompt_tokens": 10**400, "completion_tokens": 3}, Usage(0, 3)),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        (None, None),
    ],
)
def test_usage_of_odd_types_is_counted_as_far_as_it_makes_sense(usage, read):
    assert decode_event(json.dumps({"choices": [], "usage": usage}).encode()).usage == read


@pytest.mark.parametrize(
    ("details", "timings", "cached"),
    [
        (None, None, None),
        ({}, {}, None),
        ({"cached_tokens": 0}, None, 0),
        ({"cached_tokens": 6}, {"cache_n": 5}, 6),
        ({"cached_tokens": None}, {"cache_n": 5}, 5),
        (None, {"cache_n": 0}, 0),
        (None, {"cache_n": "5"}, None),
        ({"cached_tokens": 8}, None, 7),
        ({"cached_tokens": -1}, None, 0),
    ],
)
def test_cached_tokens_are_unknown_unless_the_backend_reports_them(details, timings, cached):
    usage = {"prompt_tokens": 7, "prompt_tokens_details": details}
    event = decode_event(json.dumps({"usage": usage, "timings": timings}).encode())
    assert event.usage == Usage(7, cached_tokens=cached)


@pytest.mark.parametrize(("sent", "read"), [("365174485", "365174485"), (365174485, "365174485"), ([], None)])
def test_ids_of_calls_become_text(sent, read):
    assert choice_of(delta(tool_calls=[{"id": sent, "function": {"name": "f"}}])).tool_calls[0].id == read


def test_whole_arguments_in_one_object_are_kept():
    choice = choice_of(delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": {"city": "Oslo"}}}]))
    assert choice.tool_calls == [CallDelta(index=0, name="f", arguments={"city": "Oslo"})]


NO_EVENTS = {
    "text": b"hello",
    "half an object": b'{"choices":[{"delta":{"cont',
    "empty": b"",
    "list": b"[]",
    "string": b'"x"',
    "number": b"5",
    "null": b"null",
    "bad UTF-8 that is no JSON": b"\xff\xfe",
    "bad UTF-8 in a string": b'{"choices":[{"delta":{"content":"\xff"}}]}',
    "a number of 5000 digits": b'{"choices":' + b"1" * 5000 + b"}",
    "nested 50,000 deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "opened 50,000 times": b"[" * 50_000,
}


@pytest.mark.parametrize("payload", NO_EVENTS.values(), ids=NO_EVENTS.keys())
def test_what_is_no_event_is_the_backends_fault(payload):
    with pytest.raises(BackendProtocolError, match="LM Studio sent an event that is not"):
        decode_event(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
DELTAS = st.dictionaries(st.sampled_from(["content", "reasoning_content", "reasoning", "tool_calls", "role"]), JSON)
CHOICES = st.dictionaries(st.sampled_from(["index", "text", "finish_reason", "logprobs", "message"]), JSON | DELTAS)
EVENTS = st.dictionaries(
    st.sampled_from(["choices", "usage", "error", "timings", "stats", "id"]),
    JSON | st.lists(st.builds(lambda choice, delta: {**choice, "delta": delta}, CHOICES, DELTAS), max_size=2),
)


@given(EVENTS)
def test_any_object_is_an_event_whose_texts_can_be_sent(value):
    event = decode_event(json.dumps(value).encode())
    for choice in event.choices or ():
        for text in (choice.text, choice.thinking, choice.finish_reason):
            assert text is None or text.encode("utf-8").decode("utf-8") == text


TOKENS = st.builds(
    lambda name, text: json.dumps({"id": 1, **delta(**{name: text})}).encode(),
    st.sampled_from(["content", "reasoning_content"]),
    st.sampled_from(
        ["a", " b", '"', "\\", "\n", ":", "id", "content", "\u3053", "\U0001f338", "\ud83d", "", None, 1, ["a"]]
    ),
)


def decoded(payloads, **options):
    """Return the events of a stream whose data arrived together."""
    return [*EventDecoder(**options).decode(payloads)]


def content_of(events):
    """Return what events add up to: stretches of text and of thinking, and the other fields of each event."""
    stretches = []
    for event in events:
        for choice in event.choices:
            for kind, text in (("text", choice.text), ("thinking", choice.thinking)):
                if text and stretches and stretches[-1][0] == kind:
                    stretches[-1] = (kind, stretches[-1][1] + text)
                elif text:
                    stretches.append((kind, text))
        if event.usage or event.error or event.timings or any(choice.finish_reason for choice in event.choices):
            stretches.append(("other", repr(event)))  # NaN does not equal itself
    return stretches


@given(st.lists(TOKENS | EVENTS.map(lambda value: json.dumps(value).encode()), max_size=12))
def test_a_decoder_reads_what_the_events_contain_one_by_one(payloads):
    expected = content_of(map(decode_event, payloads))
    assert content_of(decoded(payloads)) == expected
    assert content_of(decoded(payloads, joins_texts=True)) == expected


def test_texts_that_arrive_together_are_joined_and_counted():
    texts = [json.dumps(delta(content=text)).encode() for text in "abcd"]
    last = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()
    events = decoded([*texts, last, *texts], joins_texts=True)
    joined = [(choice.text, choice.deltas) for event in events for choice in event.choices]
    assert joined == [("a", 1), ("bcd", 3), (None, 1), ("abcd", 4)]


def test_equal_events_keep_their_texts():
    payloads = [json.dumps(delta(content=text)).encode() for text in ("a", "b", "", '"c"', "\u3053")]
    last = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()
    assert decoded([*payloads, last]) == [
        *(Event([Choice(text)]) for text in ("a", "b", "", '"c"', "\u3053")),
        Event([Choice(finish_reason="stop")]),
    ]


def test_a_text_that_occurs_elsewhere_in_its_event_is_not_mistaken():
    payloads = [b'{"choices":[{"delta":{"content":"%b"},"role":"%b"}]}' % pair for pair in [(b"x", b"x"), (b"x", b"y")]]
    assert [event.choices[0].text for event in decoded(payloads)] == ["x", "x"]


@pytest.mark.parametrize("broken", [b'"a', b'"a","b"', b"", b'"a"}, {"b"'])
def test_an_event_that_is_broken_around_its_text_is_no_event(broken):
    payloads = [b'{"choices":[{"delta":{"content":%b}}]}' % literal for literal in (b'"x"', b'"y"', broken)]
    with pytest.raises(BackendProtocolError):
        decoded(payloads)

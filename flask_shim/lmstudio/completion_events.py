"""The events of a completion stream: only the fields that are used; one of an unexpected type counts as missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.http.surrogates import replace_halves

DONE = b"[DONE]"

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
"""The fields of a request that ask for a stream with token counts in its last event."""

_FAILURES = ("abort", "error")
"""How vLLM and SGLang (abort), and KoboldCpp (error), end an answer that is not complete (vllm#57082)."""

_MAX_COUNT = 2**53  # the largest integer that every JSON reader can represent


@dataclass(slots=True)
class CallDelta:
    """What one event adds to one tool call.

    Only the first fragment of a call has an id and a name. ``arguments`` is a text or, from some engines, an object.
    """

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: Any = None


@dataclass(slots=True)
class Choice:
    """What one event adds to the answer, or the whole answer of one that is not streamed.

    ``thinking`` has two names among the engines, ``reasoning_content`` and ``reasoning``.
    """

    text: str | None = None
    thinking: str | None = None
    tool_calls: list[CallDelta] | None = None
    finish_reason: str | None = None
    logprobs: Any = None
    deltas: int = 1
    """How many events it joins."""


@dataclass(slots=True)
class Usage:
    """Token counts of the whole answer.

    ``cached_tokens`` are the prompt tokens that the prompt cache had, ``reasoning_tokens`` the thinking in the answer;
    None where the backend does not say. LM Studio 0.4 reports no cached tokens, llama.cpp's server does.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(slots=True)
class Event:
    """One event. ``timings`` are llama.cpp's, in milliseconds; ``error`` is the whole data of one that is an error."""

    choices: Sequence[Choice] = ()
    usage: Usage | None = None
    error: bytes | None = None
    timings: dict[str, Any] | None = None

    @property
    def has_output(self) -> bool:
        """Whether it has text, thinking or a tool call."""
        return any(choice.text or choice.thinking or choice.tool_calls for choice in self.choices)


class EventDecoder:
    """Decodes the events of one stream.

    Nearly all of them differ from the one before in their text only. Where the bytes around it are the same, only the
    text is decoded. With ``joins_texts``, events that arrived together and differ in their text only become one.
    """

    __slots__ = ("_after", "_before", "_is_thinking", "_joins_texts", "_unused")

    def __init__(self, *, joins_texts: bool = False) -> None:
        self._before = self._after = _NEVER
        self._is_thinking = False
        self._joins_texts = joins_texts
        self._unused = 0  # how often such bytes were learned since they last occurred again

    def decode(self, payloads: Sequence[bytes]) -> Iterator[Event]:
        """Decode the data of events that arrived together; raise BackendProtocolError as :func:`decode_event` does."""
        while payloads:
            texts = self._read_texts(payloads)
            if self._joins_texts and texts:
                yield _text_event("".join(texts), self._is_thinking, len(texts))
            else:
                yield from [_text_event(text, self._is_thinking) for text in texts]
            if len(texts) < len(payloads):
                event = decode_event(payloads[len(texts)])
                if self._unused < _MOST_UNUSED:
                    self._learn(payloads[len(texts)], event)
                yield event
            payloads = payloads[len(texts) + 1 :]

    def decode_block(self, block: bytes) -> Event | None:
        """Decode a block of a stream that is one event, different in its text only; return None for any other block."""
        before, after = self._before, self._after
        if not (block.startswith(before) and block.endswith(after)):
            return None
        try:
            text: str = orjson.loads(block[len(before) - 1 : 1 - len(after)])
        except orjson.JSONDecodeError:  # several events, or half of a surrogate pair
            return None
        self._unused = 0
        return _text_event(text, self._is_thinking)

    def _read_texts(self, payloads: Iterable[bytes]) -> list[str]:
        """Return the texts of the first payloads, up to one that differs in more than its text."""
        before, after = self._before.removeprefix(_DATA), self._after.removesuffix(_END)
        literal = slice(len(before) - 1, 1 - len(after))
        literals: list[bytes] = []
        for payload in payloads:
            if not (payload.startswith(before) and payload.endswith(after)):
                break
            literals.append(payload[literal])
        with suppress(orjson.JSONDecodeError):
            texts: list[str] = orjson.loads(b"[%b]" % b",".join(literals))
            if literals and len(texts) == len(literals):
                self._unused = 0
                return texts
        return []

    def _learn(self, payload: bytes, event: Event) -> None:
        """Remember the bytes around the text of an event that has nothing else."""
        choice = event.choices[0] if event.choices else Choice()
        is_thinking = not choice.text
        text = choice.thinking if is_thinking else choice.text
        if not text or b"\n" in payload or event != _text_event(text, is_thinking):
            return
        before, literal, after = payload.rpartition(orjson.dumps(text))
        with suppress(BackendProtocolError):  # the text was found in another place
            other = decode_event(before + b'"other"' + after)
            if literal and other == _text_event("other", is_thinking):
                self._before, self._after = b'%b%b"' % (_DATA, before), b'"%b%b' % (after, _END)
                self._is_thinking = is_thinking
                self._unused += 1


_DATA, _END = b"data: ", b"\n\n"
_NEVER = b"\0\0"  # no event begins with it, since JSON has no such character
_MOST_UNUSED = 3


def _text_event(text: str, is_thinking: bool, deltas: int = 1) -> Event:
    return Event([Choice(None, text, deltas=deltas) if is_thinking else Choice(text, deltas=deltas)])


def decode_event(payload: bytes) -> Event:
    """Decode the data of one event; raise BackendProtocolError if it is not a JSON object."""
    value = _loads(payload)
    if not isinstance(value, dict):
        raise BackendProtocolError("LM Studio sent an event that is not an object")
    rows, usage, timings = value.get("choices"), value.get("usage"), value.get("timings")
    choices = [_choice(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    is_error = bool(value.get("error")) or (not rows and "error" in (value.get("type"), value.get("object")))
    error = payload if is_error else None
    failure = next((choice.finish_reason for choice in choices if choice.finish_reason in _FAILURES), None)
    if failure and error is None:
        error = orjson.dumps({"error": f"LM Studio stopped before the end of its answer (finish_reason {failure})"})
    counts = _usage(usage, timings) if isinstance(usage, dict) else None
    return Event(choices, counts, error, timings if isinstance(timings, dict) else None)


def _loads(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:  # the standard library also reads NaN, and the halves of surrogate pairs that some tokenizers split
            return json.loads(replace_halves(payload))
        except (ValueError, RecursionError) as exc:
            raise BackendProtocolError("LM Studio sent an event that is not JSON") from exc


def _choice(value: dict[str, Any]) -> Choice:
    message = value.get("delta", value.get("message"))  # some servers send the whole message with every delta
    if isinstance(message, dict):
        text = message.get("content")
    else:  # a text completion
        message, text = value, value.get("text")
    thinking = message.get("reasoning_content") or message.get("reasoning")
    calls, reason = message.get("tool_calls"), value.get("finish_reason")
    return Choice(
        text if isinstance(text, str) else _join_parts(text),
        thinking if isinstance(thinking, str) else _join_parts(thinking),
        [_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else None,
        reason if isinstance(reason, str) else None,
        value.get("logprobs"),
    )


def _join_parts(value: Any) -> str | None:
    """Return the text in a list of parts, which OpenAI's API has, too; None for anything else."""
    parts = [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str)) or None


def _call(value: dict[str, Any]) -> CallDelta:
    function, number = value.get("function"), value.get("id")
    function = function if isinstance(function, dict) else {}
    name = function.get("name")
    return CallDelta(
        index=_int(value.get("index")),
        id=str(number) if isinstance(number, str | int) else None,
        name=name if isinstance(name, str) else None,
        arguments=function.get("arguments"),
    )


def _usage(value: dict[str, Any], timings: Any) -> Usage | None:
    prompt_tokens, completion_tokens = _count(value, "prompt_tokens") or 0, _count(value, "completion_tokens") or 0
    if not prompt_tokens and not completion_tokens:
        return None  # LocalAI 2 sends zeros in every event, and no counts (LocalAI#1744)
    cached = _count(value.get("prompt_tokens_details"), "cached_tokens")
    if cached is None:
        cached = _count(timings, "cache_n")  # llama.cpp's server before it had the details
    return Usage(
        prompt_tokens,
        completion_tokens,
        cached_tokens=None if cached is None else min(cached, prompt_tokens),
        reasoning_tokens=_count(value.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _count(counts: Any, name: str) -> int | None:
    number = _int(counts.get(name)) if isinstance(counts, dict) else None
    return None if number is None else max(0, number)


def _int(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and abs(value) <= _MAX_COUNT else None

"""One decoded event of a completion stream: only the fields that matter, whatever else the backend sends."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec

from flask_shim.lmstudio.errors import BackendProtocolError

DONE = b"[DONE]"

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
"""What asks for events, with the counts of tokens in the last of them."""

_MOST = 2**53
"""No count is larger than what every JSON reader takes for an integer."""


class FunctionDelta(msgspec.Struct, gc=False):
    """A piece of a tool call: the name comes first, the arguments in fragments, or from some engines as an object."""

    name: str | None = None
    arguments: Any = None


class CallDelta(msgspec.Struct, gc=False):
    """What one event adds to one tool call. Only the first fragment of an index carries id and name."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct, gc=False):
    """What one event adds to the message. Thinking arrives under either of two names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallDelta] | None = None


class Choice(msgspec.Struct, gc=False):
    """The first (and only) choice: ``delta`` in streams, ``message`` in whole answers, ``text`` in completions."""

    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]


class TokenDetails(msgspec.Struct, gc=False):
    """How many tokens of a count came from the prompt cache, or are thinking; None if the backend omits it."""

    cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class Usage(msgspec.Struct, gc=False):
    """Token counts of the whole answer."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None


class Event(msgspec.Struct, gc=False):
    """One event. ``timings`` are llama.cpp's, by the engine's clock, in milliseconds."""

    choices: tuple[Choice, ...] | None = None
    usage: Usage | None = None
    error: Any = None
    timings: dict[str, Any] | None = None


_DECODE = msgspec.json.Decoder(Event).decode


def decode_event(payload: bytes) -> Event:
    """Decode the data of one event; raise BackendBroke when it is no JSON object."""
    try:
        return _DECODE(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient(payload)


def _lenient(payload: bytes) -> Event:
    """Decode what the strict decoder refuses: lone surrogates, NaN, fields of types that no one announced."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise BackendProtocolError("LM Studio sent an event that is not JSON") from exc
    if not isinstance(value, dict):
        raise BackendProtocolError("LM Studio sent an event that is not an object")
    return _event(value)


def _event(value: dict[str, Any]) -> Event:
    choices = value.get("choices")
    usage = value.get("usage")
    rows = choices if isinstance(choices, list) else []
    return Event(
        choices=tuple(_choice(row) for row in rows if isinstance(row, dict)) or None,
        usage=Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
        if isinstance(usage, dict)
        else None,
        error=value.get("error"),
        timings=_dict(value.get("timings")),
    )


def _choice(value: dict[str, Any]) -> Choice:
    delta, message = _dict(value.get("delta")), _dict(value.get("message"))
    return Choice(
        delta=None if delta is None else _delta(delta),
        message=None if message is None else _delta(message),
        text=_text(value.get("text")),
        reasoning_content=_text(value.get("reasoning_content")),
        reasoning=_text(value.get("reasoning")),
        finish_reason=_text(value.get("finish_reason")),
        logprobs=value.get("logprobs"),
    )


def _delta(value: dict[str, Any]) -> Delta:
    calls = value.get("tool_calls")
    return Delta(
        content=_text(value.get("content")),
        reasoning_content=_text(value.get("reasoning_content")),
        reasoning=_text(value.get("reasoning")),
        tool_calls=[_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else None,
    )


def _call(value: dict[str, Any]) -> CallDelta:
    function = _dict(value.get("function")) or {}
    number = value.get("id")
    return CallDelta(
        index=_int(value.get("index")),
        id=str(number) if isinstance(number, str | int) else None,
        function=FunctionDelta(_text(function.get("name")), function.get("arguments")),
    )


def _dict(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _int(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and abs(value) <= _MOST else None


def _count(value: Any) -> int:
    return max(0, _int(value) or 0)


def _text(value: Any) -> str | None:
    return encodable(value) if isinstance(value, str) else None


def encodable(text: str) -> str:
    """Return ``text`` as UTF-8 can have it: half a surrogate pair becomes the replacement character, as in Go."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

"""The ``context`` of /api/generate: a conversation as a list of integers that the client sends back.

Ollama returns token ids, which LM Studio does not report. Clients only send the list back, so ours holds the turns:
their JSON, compressed, three bytes to an integer, after a mark, the length and a checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import orjson

from flask_shim.translate.ollama.requests import GenerateRequest, Message

_MARK = 0x53484D
_MAX_BYTES = 4 << 20
"""More text than any model reads: a list that unpacks to more was not made here."""


def to_context(turns: Iterable[Message]) -> tuple[int, ...]:
    """Return the turns as integers below 2^24, without images."""
    packed = zlib.compress(orjson.dumps([[turn.role, turn.content] for turn in turns]))
    padded = packed + b"\0" * (-len(packed) % 3)
    body = (int.from_bytes(padded[at : at + 3], "big") for at in range(0, len(padded), 3))
    return (_MARK, len(packed), zlib.crc32(packed) & 0xFFFFFF, *body)


def turns_before(request: GenerateRequest, history: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the turns before the prompt; the request's system prompt replaces that of the history."""
    if not request.system:
        return history
    has_system = bool(history) and history[0].role == "system"
    return (Message("system", request.system), *history[has_system:])


def from_context(context: Sequence[int]) -> tuple[Message, ...] | None:
    """Return the turns in ``context``, () for an empty one, None for a list that was not made here."""
    if not context:
        return ()
    if len(context) < 4 or context[0] != _MARK or not all(0 <= number < 1 << 24 for number in context[3:]):
        return None
    packed = b"".join(number.to_bytes(3, "big") for number in context[3:])[: max(0, context[1])]
    if zlib.crc32(packed) & 0xFFFFFF != context[2]:
        return None
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, _MAX_BYTES)
        turns = orjson.loads(text)
        return tuple(Message(str(role), str(content)) for role, content in turns)
    except (zlib.error, ValueError, TypeError):
        return None

"""What backend and clients of the benchmark put on the wire: LM Studio's lists and events, the clients' requests.

Every token's text has exactly one ``~`` in it, whatever a target turns the event into: counting tokens is counting
one byte. In a paced stream the moment of sending follows (``~123456;``, ns on the clock that all processes share).
The prompt says what the backend sends (``[500 tokens, 10000 us]``), since every API carries the prompt unchanged.
"""

from __future__ import annotations

import json
import re
from typing import Any

MODEL = "bench/tiny-1b"
MARK = b"~"
STAMP = re.compile(rb"~(\d+);")
WISH = re.compile(rb"\[(\d+) tokens, (\d+) us\]")
"""How many tokens a prompt asks for, and how long after the one before each is sent (0: all at once)."""

_KEEP = "X-Powered-By: Express\r\nConnection: keep-alive\r\n"
STREAM_HEAD = (
    f"HTTP/1.1 200 OK\r\n{_KEEP}Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
).encode()


def chunk(payload: bytes) -> bytes:
    """Return ``payload`` as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def _event(choice: dict[str, Any] | None, **more: Any) -> bytes:
    event = {
        "id": "chatcmpl-i3gkjwthhw96whukek9tz",
        "object": "chat.completion.chunk",
        "created": 1772000000,
        "model": MODEL,
        "system_fingerprint": MODEL,
        "choices": [{"index": 0, "delta": {}, "logprobs": None, **choice}] if choice is not None else [],
    }
    return b"data: " + json.dumps({**event, **more}, separators=(",", ":")).encode() + b"\n\n"


def _delta(text: str) -> bytes:
    return _event({"delta": {"content": text}, "finish_reason": None})


TOKEN = chunk(_delta(" tok~"))
"""One event of an unpaced stream, as LM Studio sends it: a chunk of its own."""

_BEFORE, _AFTER = _delta("~@;").split(b"@")


def stamped(now_ns: int) -> bytes:
    """Return the event of a paced stream that says when it was sent."""
    return chunk(b"%b%d%b" % (_BEFORE, now_ns, _AFTER))


def stream_end(tokens: int) -> bytes:
    """Return what ends a stream: finish reason, counts, the done mark and the last chunk."""
    usage = {"prompt_tokens": 24, "completion_tokens": tokens, "total_tokens": 24 + tokens}
    events = (_event({"finish_reason": "stop"}), _event(None, usage=usage), b"data: [DONE]\n\n")
    return b"".join(map(chunk, events)) + b"0\r\n\r\n"


def whole_answer(tokens: int) -> bytes:
    """Return the answer to a request that wants one object."""
    message = {"role": "assistant", "content": " tok~" * tokens}
    usage = {"prompt_tokens": 24, "completion_tokens": tokens, "total_tokens": 24 + tokens}
    choice = {"index": 0, "logprobs": None, "finish_reason": "stop", "message": message}
    return json_answer({"id": "chatcmpl-x", "object": "chat.completion", "choices": [choice], "usage": usage})


def json_answer(body: Any) -> bytes:
    """Return a whole HTTP answer with a JSON body."""
    payload = json.dumps(body, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\n{_KEEP}Content-Type: application/json; charset=utf-8\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(payload), payload)


def _model(key: str, loaded: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "llm",
        "publisher": "bench",
        "key": key,
        "display_name": "Tiny",
        "architecture": "llama",
        "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
        "size_bytes": 807694464,
        "params_string": "1B",
        "loaded_instances": loaded,
        "max_context_length": 131072,
        "format": "gguf",
        "capabilities": {"vision": True, "trained_for_tool_use": True},
        "description": None,
    }


_INSTANCE = {"id": MODEL, "config": {"context_length": 8192, "eval_batch_size": 512, "parallel": 4}}
LISTS: dict[str, bytes] = {
    "/api/v1/models": json_answer(
        {"models": [_model(MODEL, [_INSTANCE]), *(_model(f"bench/other-{number}b", []) for number in range(2, 12))]}
    ),
    "/v1/models": json_answer({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "bench"}]}),
}
"""The model lists by path: one loaded model and ten on the disk."""

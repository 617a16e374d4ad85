"""Answers that the last message chooses, for what no tiny model can be brought to say.

The words in the text decide: THINK, TEXT, CALL, TWO, EMPTY, LEN, LP (logprobs), ERR500, ERR400, ERRMID (an error in the
middle), EOFMID (the connection breaks). Without any of them the answer is "Hello <b>& world". Nothing takes any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from support.answers import streams
from support.fake_lmstudio import CHAT, COMPLETIONS, DOWNLOAD, EMBEDDINGS, UNKNOWN, FakeLMStudio, Status
from support.peer import ReceivedRequest

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 4,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 0},
}
SYSTEMONE = "/v1/systemone"
VECTOR = [3.0, 4.0, 0.0, 12.0]
LOGPROB = {"token": "Hé", "logprob": -0.25, "bytes": [72, 195, 169]}
TOP = [LOGPROB, {"token": "Yo", "logprob": -1.5, "bytes": [89, 111]}]
CALLS = (("abc123", "get_weather", '{"city":"Paris","n":1}'), ("def456", "get_time", "{}"))

REASONING = {"allowed_options": ["off", "on"], "default": "on"}


def _model(key: str, kind: str = "llm", **can: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "publisher": "acme",
        "key": key,
        "display_name": key,
        "architecture": "llama",
        "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
        "size_bytes": 9702,
        "params_string": "3.2B",
        "loaded_instances": [{"id": key, "config": {"context_length": 4096}}],
        "max_context_length": 8192,
        "format": "gguf",
        **({"capabilities": {"vision": False, "trained_for_tool_use": False, **can}} if kind == "llm" else {}),
    }


MODELS = [
    _model("plain"),
    _model("tooly", trained_for_tool_use=True, reasoning=REASONING),
    _model("qwen2.5-coder"),
    _model("embedder", "embedding"),
    _model("decider", "decision"),
]


def _chat(body: dict[str, Any]) -> Any:
    content = body["messages"][-1].get("content") or ""
    text = content if isinstance(content, str) else json.dumps(content)
    if "ERR500" in text:
        return Status(500, {"error": {"message": "boom inside", "type": "server_error", "code": 500}})
    if "ERR400" in text:
        return Status(400, {"error": "the request exceeds the available context size"})
    deltas = [(delta, None) for delta in _deltas(text, body)]
    finish = "tool_calls" if "CALL" in text else "length" if "LEN" in text else "stop"
    if not body.get("stream"):
        return _whole(deltas, finish)
    return streams(*_stream("chat.completion.chunk", deltas, finish, text), ends=False)


def _deltas(text: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "THINK" in text and body.get("reasoning_effort") != "none":
        yield {"role": "assistant", "reasoning_content": "Let me "}
        yield {"role": "assistant", "reasoning_content": "think."}
    if "CALL" in text:
        if "TEXT" in text:
            yield {"role": "assistant", "content": "Calling now. "}
        for index, (id_, name, arguments) in enumerate(CALLS[: 2 if "TWO" in text else 1]):
            start = {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
            yield {"role": "assistant", "tool_calls": [start]}
            for piece in (arguments[:3], arguments[3:]):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    elif "MID" in text:
        yield {"role": "assistant", "content": "Hel"}
    elif "LP" in text:
        yield {"role": "assistant", "content": "Hé"}
    elif "EMPTY" not in text:
        yield from (
            {"role": "assistant", "content": piece}
            for piece in ("Hello", " <b>&", " world")[: 2 if "LEN" in text else 3]
        )


def _stream(kind: str, deltas: list[Any], finish: str, text: str) -> Iterator[bytes]:
    for delta, logprobs in deltas:
        if delta.get("content") == "Hé":
            logprobs = {"content": [{**LOGPROB, "top_logprobs": TOP}]}
        yield _event(kind, [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}])
    if "ERRMID" in text:
        yield b'event: error\ndata: {"error":{"message":"mid boom"}}\n\n'
        return
    if "EOFMID" in text:
        return
    yield _event(kind, [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}])
    yield _event(kind, [], usage=USAGE)
    yield b"data: [DONE]\n\n"


def _event(kind: str, choices: list[Any], **more: Any) -> bytes:
    head = {"id": "chatcmpl-x", "object": kind, "created": 1772000000, "model": "acme", "system_fingerprint": "acme"}
    return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"


def _whole(deltas: list[Any], finish: str) -> dict[str, Any]:
    said = {name: "".join(delta.get(name, "") for delta, _ in deltas) for name in ("content", "reasoning_content")}
    message = {"role": "assistant", **said, "tool_calls": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-x", "object": "chat.completion", "created": 1772000000, "model": "acme",
            "choices": [choice], "usage": USAGE, "stats": {}, "system_fingerprint": "acme"}  # fmt: skip


def _completions(body: dict[str, Any]) -> Any:
    choice = {"index": 0, "text": "Hello <b>& world", "logprobs": None, "finish_reason": "stop"}
    head = {"id": "cmpl-x", "object": "text_completion", "created": 1772000000, "model": "acme"}
    if not body.get("stream"):
        return {**head, "choices": [choice], "usage": USAGE}
    events = [{**head, "choices": [{**choice, "finish_reason": None}]}, {**head, "choices": [{**choice, "text": ""}]},
              {**head, "choices": [], "usage": USAGE}]  # fmt: skip
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return streams(*lines, b"data: [DONE]\n\n", ends=False)


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body["input"]
    count = 1 if isinstance(texts, str) else len(texts)
    rows = [{"object": "embedding", "embedding": VECTOR, "index": index} for index in range(count)]
    return {"object": "list", "data": rows, "model": "embedder", "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def _decide(body: dict[str, Any]) -> dict[str, Any]:
    """Find every first option certain."""
    return {"answers": {name: _decided(question) for name, question in body["questions"].items()}, "usage": {}}


def _decided(question: dict[str, Any]) -> dict[str, Any]:
    if question["type"] == "noul":
        return {"type": "noul", "noul": 1}
    criteria = question["criteria"]
    keys = list(criteria) if question["type"] == "choice" else map(str, range(len(criteria)))
    return {"type": question["type"], "probabilities": {key: int(not at) for at, key in enumerate(keys)}}


_ANSWERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    CHAT: _chat,
    COMPLETIONS: _completions,
    EMBEDDINGS: _embeddings,
    SYSTEMONE: _decide,
    DOWNLOAD: lambda _: UNKNOWN,
}


def _answer(asked: ReceivedRequest) -> Any:
    answer = _ANSWERS.get(asked.path)
    return answer(asked.json) if answer and asked.method == "POST" else None


def scripted_lmstudio() -> FakeLMStudio:
    """Return an LM Studio with these answers and models."""
    return FakeLMStudio(answer=_answer, rows=MODELS)

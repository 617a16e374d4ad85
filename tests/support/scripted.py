"""An LM Studio that says what the last message tells it to say: for answers no tiny model can be brought to.

The words in the text decide: THINK, TEXT, CALL, TWO, EMPTY, LEN, LP (logprobs), ERR500, ERR400, ERRMID (an error in the
middle), EOFMID (the connection breaks). Without any of them the answer is "Hello <b>& world". Nothing takes any time.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request
from waitress.server import create_server

from flask_shim.serving.shutdown import shut_down

THREADS = 8
STOP_SECONDS = 5.0

USAGE = {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}
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
]


def create_scripted() -> Flask:
    """Return the app."""
    app = Flask(__name__, static_folder=None)
    app.get("/api/v1/models")(_models)
    app.get("/v1/models")(_openai_models)
    app.post("/api/v1/models/load")(_load)
    app.post("/api/v1/models/unload")(_unload)
    app.post("/v1/chat/completions")(_chat)
    app.post("/v1/completions")(_completions)
    app.post("/v1/embeddings")(_embeddings)
    app.register_error_handler(404, lambda _: ({"error": "Unexpected endpoint or method."}, 200))
    return app


def _models() -> dict[str, Any]:
    return {"models": MODELS}


def _openai_models() -> dict[str, Any]:
    items = [{"id": model["key"], "object": "model", "owned_by": "organization_owner"} for model in MODELS]
    return {"object": "list", "data": items}


def _load() -> dict[str, Any]:
    return {"type": "llm", "instance_id": request.get_json()["model"], "status": "loaded", "load_time_seconds": 0.1}


def _unload() -> dict[str, Any]:
    return {"instance_id": request.get_json()["instance_id"]}


def _chat() -> Response | tuple[Any, int]:
    body = request.get_json()
    content = body["messages"][-1].get("content") or ""
    text = content if isinstance(content, str) else json.dumps(content)
    if "ERR500" in text:
        return {"error": {"message": "boom inside", "type": "server_error", "code": 500}}, 500
    if "ERR400" in text:
        return {"error": "the request exceeds the available context size"}, 400
    deltas = [(delta, None) for delta in _deltas(text, body)]
    finish = "tool_calls" if "CALL" in text else "length" if "LEN" in text else "stop"
    if not body.get("stream"):
        return _whole(deltas, finish), 200
    return Response(_stream("chat.completion.chunk", deltas, finish, text), mimetype="text/event-stream")


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


def _completions() -> Response | dict[str, Any]:
    choice = {"index": 0, "text": "Hello <b>& world", "logprobs": None, "finish_reason": "stop"}
    head = {"id": "cmpl-x", "object": "text_completion", "created": 1772000000, "model": "acme"}
    if not request.get_json().get("stream"):
        return {**head, "choices": [choice], "usage": USAGE}
    events = [{**head, "choices": [{**choice, "finish_reason": None}]}, {**head, "choices": [{**choice, "text": ""}]},
              {**head, "choices": [], "usage": USAGE}]  # fmt: skip
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return Response([*lines, b"data: [DONE]\n\n"], mimetype="text/event-stream")


def _embeddings() -> dict[str, Any]:
    texts = request.get_json()["input"]
    count = 1 if isinstance(texts, str) else len(texts)
    rows = [{"object": "embedding", "embedding": VECTOR, "index": index} for index in range(count)]
    return {"object": "list", "data": rows, "model": "embedder", "usage": {"prompt_tokens": 0, "total_tokens": 0}}


class Scripted:
    """The app on a port of its own; a context manager."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server: Any = create_server(create_scripted(), sockets=[listener], threads=THREADS)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        shut_down([self._server], seconds=STOP_SECONDS)
        self._thread.join()

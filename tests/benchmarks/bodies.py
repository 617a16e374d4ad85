"""What clients send: the same request in the API of each target."""

from __future__ import annotations

import base64
import json
import random
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.benchmarks.wire import MODEL

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the tests keep what they share

from support.agent_sessions import ChatClient, Exchange, MessagesClient, claude_code

Speech = Literal["lmstudio", "naive", "ollama"]
"""The APIs that a target has: LM Studio's, what the naive shim knows of Ollama's, or all that ours knows."""

_QUESTION = "Why is the sky blue?"
_PICTURE_BYTES = 7_500_000
"""10 MB in base64."""

_AGENTS = {"agent": 310, "agent-4mb": 11_000}
"""How long are prompts and listings of a session with 60 tools: 30,000 tokens, and a body of 4 MB."""

_LISTS: dict[str, tuple[Any, ...]] = {
    "version": ("GET", "/api/version"),
    "tags": ("GET", "/api/tags"),
    "show": ("POST", "/api/show", {"model": MODEL}),
}
"""The calls that generate nothing. Direct and through nginx it is LM Studio's model list each time."""


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes to send as text, what must stand near the end of the answer, and whether that repeats its text."""

    text: str
    end: str
    repeats: bool = False


@cache
def request_for(kind: str, speech: Speech, tokens: int, pace_us: int) -> Request:
    """Return the request of a kind; its answer has ``tokens`` tokens, one every ``pace_us`` microseconds."""
    if kind in _LISTS:
        return Request(_http(*_LISTS[kind]), "}") if speech != "lmstudio" else Request(_http("GET", "/v1/models"), "}")
    wish = f"[{tokens} tokens, {pace_us} us]"
    if kind == "vision":
        return _vision(speech, wish)
    if kind in _AGENTS:
        return _agent(kind, speech, wish)
    messages = [{"role": "user", "content": f"{_QUESTION} {wish}"}]
    if kind == "responses" and speech == "ollama":
        asked = {"model": MODEL, "input": messages, "stream": True}
        return Request(_http("POST", "/v1/responses", asked), "total_tokens", repeats=True)
    if kind == "messages" and speech == "ollama":
        return _messages({"model": MODEL, "max_tokens": 32_000, "messages": messages})
    if kind == "v1" or speech == "lmstudio":
        return _completions(messages, is_stream=kind != "whole")
    return _chat(messages, is_stream=kind != "whole")


def _vision(speech: Speech, wish: str) -> Request:
    picture = base64.b64encode(b"\xff\xd8\xff" + random.Random(1).randbytes(_PICTURE_BYTES)).decode()  # begins as JPEG
    if speech != "lmstudio":
        return _chat([{"role": "user", "content": wish, "images": [picture]}])
    url = {"url": f"data:image/jpeg;base64,{picture}"}
    parts = [{"type": "text", "text": wish}, {"type": "image_url", "image_url": url}]
    return _completions([{"role": "user", "content": parts}])


def _agent(kind: str, speech: Speech, wish: str) -> Request:
    """Return the last request of a session of Claude Code; what does not speak its protocol gets the same texts."""
    if speech == "ollama":
        body = _played(MessagesClient, kind)
        return _messages({**body, "messages": [*body["messages"], {"role": "user", "content": wish}]})
    body = _played(ChatClient, kind)
    texts = [{"role": one["role"], "content": one["content"]} for one in body["messages"]]
    return _completions([*texts, {"role": "user", "content": wish}], tools=body["tools"])


@cache
def _played(client_type: type[MessagesClient] | type[ChatClient], kind: str) -> dict[str, Any]:
    session = claude_code(turns=60, words=_AGENTS[kind], pictures=False)
    client, last = client_type(session, MODEL), Exchange()
    body: dict[str, Any] = {}
    for number, exchange in enumerate(session.exchanges):
        body = client.ask(number, last.calls)
        client.take(_answer(exchange))
        last = exchange
    return body


def _answer(exchange: Exchange) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in exchange.calls]
    content = [{"type": "text", "text": exchange.text or "Let me look."}, *calls]
    return {"content": content, "message": {"role": "assistant", "content": exchange.text, "tool_calls": []}}


def _chat(messages: list[dict[str, Any]], *, is_stream: bool = True) -> Request:
    asked = {"model": MODEL, "messages": messages, "stream": is_stream}
    return Request(_http("POST", "/api/chat", asked), "true" if is_stream else "}")


def _completions(messages: list[dict[str, Any]], *, is_stream: bool = True, **more: Any) -> Request:
    asked = {"model": MODEL, "messages": messages, "stream": is_stream, **more}
    return Request(_http("POST", "/v1/chat/completions", asked), "[DONE]" if is_stream else "}")


def _messages(asked: dict[str, Any]) -> Request:
    return Request(_http("POST", "/v1/messages", {**asked, "stream": True}), "message_stop")


def _http(method: str, path: str, body: dict[str, Any] | None = None) -> str:
    payload = "" if body is None else json.dumps(body)
    length = f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n" if payload else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{length}\r\n{payload}"

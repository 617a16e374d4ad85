"""One short chat in each of the forms that clients send.

Options that change the state of the model (``keep_alive``, ``num_ctx``) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.doctor import stream_checks
from flask_shim.doctor.answer_rules import Rule
from flask_shim.doctor.handshake_steps import JSON, Body, Step

MOST_TOKENS = 64

_TYPED = {"Content-Type": JSON}
_ASKED = [{"role": "user", "content": "Count from one to forty, in words."}]

_BROKEN = "Look for the request in the shim's log, and for LM Studio's own error there."

NDJSON = Rule("chat", "a chat answers as it should", stream_checks.lines_of_json, _BROKEN)
EVENTS = NDJSON._replace(fault=stream_checks.chat_events)
RESPONSES = NDJSON._replace(fault=stream_checks.response_events)
MESSAGES = NDJSON._replace(fault=stream_checks.message_events)


def ollama(headers: Mapping[str, str] = _TYPED, options: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """Chat as Ollama's own clients do."""

    def body(model: str) -> Any:
        chat = {"model": model, "messages": _ASKED, "stream": True}
        return {**chat, "options": {**(options or {}), "num_predict": MOST_TOKENS}, **more}

    return _post("/api/chat", body, NDJSON, headers)


def openai(headers: Mapping[str, str] = _TYPED, **more: Any) -> Step:
    """Chat as OpenAI's clients do."""

    def body(model: str) -> Any:
        usage = {"stream_options": {"include_usage": True}}
        return {"model": model, "messages": _ASKED, "stream": True, "max_tokens": MOST_TOKENS, **usage, **more}

    return _post("/v1/chat/completions", body, EVENTS, {**_TYPED, **headers})


def _response(model: str) -> Any:
    return {
        "model": model,
        "instructions": "You answer in one sentence.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say hello."}]}],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "store": False,
        "stream": True,
        "max_output_tokens": MOST_TOKENS,
    }


def _message(model: str) -> Any:
    system = [{"type": "text", "text": "You answer in one sentence."}]
    return {"model": model, "max_tokens": MOST_TOKENS, "system": system, "messages": _ASKED, "stream": True}


def _post(path: str, body: Body, rule: Rule, headers: Mapping[str, str] = _TYPED) -> Step:
    return Step(method="POST", path=path, headers=headers, body=body, each=True, rules=(rule,))


OLLAMA = ollama()
CODEX = _post("/v1/responses", _response, RESPONSES)
CLAUDE = _post("/v1/messages?beta=true", _message, MESSAGES, {**_TYPED, "anthropic-version": "2023-06-01"})

"""The requests that clients send: those of a handshake, and one short chat in each of their forms.

Options that change the state of the model (``keep_alive``, ``num_ctx``) are left out of the chats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_shim.doctor import stream_checks
from flask_shim.doctor.answer_rules import Rule, allows_origin, has_context, has_description

JSON = "application/json"

MOST_TOKENS = 64

_TYPED = {"Content-Type": JSON}
_ASKED = [{"role": "user", "content": "Count from one to forty, in words."}]

_BROKEN = "Look for the request in the shim's log, and for LM Studio's own error there."

NDJSON = Rule("chat", "a chat answers as it should", stream_checks.lines_of_json, _BROKEN)
EVENTS = NDJSON._replace(fault=stream_checks.chat_events)
RESPONSES = NDJSON._replace(fault=stream_checks.response_events)
MESSAGES = NDJSON._replace(fault=stream_checks.message_events)

Body = Callable[[str], Any]
"""Returns the body of a request about a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request; with a ``body``, one for every listed model.

    Models with ``skips`` in their name are left out. If not ``is_strict``, the client continues without a response.
    """

    method: str = "GET"
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    skips: str = ""
    rules: tuple[Rule, ...] = ()
    is_strict: bool = True

    @property
    def name(self) -> str:
        """The request, for findings."""
        return f"{self.method} {self.path}"

    def bodies(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        """Return the model and the body of each request; a request about no model has neither."""
        if self.body is None:
            return [("", None)]
        return [(name, self.body(name)) for name in names if not (self.skips and self.skips in name)]


def get(path: str, *rules: Rule, is_strict: bool = True) -> Step:
    """Return a GET whose response has to keep the rules."""
    return Step(path=path, rules=rules, is_strict=is_strict)


def preflight(origin: str) -> Step:
    """Return what a browser sends before a page of ``origin`` may post JSON with a key."""
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return Step(method="OPTIONS", path="/api/chat", headers={"Origin": origin, **asks}, rules=(allows_origin(origin),))


def show(key: str = "model", *, skips: str = "", is_strict: bool = True, **more: Any) -> Step:
    """Return the request for the details of every model, whose name stands under ``key``."""
    step = _post("/api/show", lambda model: {key: model, **more}, _TYPED, has_description, has_context)
    return replace(step, skips=skips, is_strict=is_strict)


def ollama(headers: Mapping[str, str] = _TYPED, options: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """Chat as Ollama's own clients do."""

    def body(model: str) -> Any:
        chat = {"model": model, "messages": _ASKED, "stream": True}
        return {**chat, "options": {**(options or {}), "num_predict": MOST_TOKENS}, **more}

    return _post("/api/chat", body, headers, NDJSON)


def openai(headers: Mapping[str, str], **more: Any) -> Step:
    """Chat as OpenAI's clients do."""

    def body(model: str) -> Any:
        usage = {"stream_options": {"include_usage": True}}
        return {"model": model, "messages": _ASKED, "stream": True, "max_tokens": MOST_TOKENS, **usage, **more}

    return _post("/v1/chat/completions", body, {**_TYPED, **headers}, EVENTS)


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


def _post(path: str, body: Body, headers: Mapping[str, str], *rules: Rule) -> Step:
    return Step(method="POST", path=path, headers=headers, body=body, rules=rules)


OLLAMA = ollama()
CODEX = _post("/v1/responses", _response, _TYPED, RESPONSES)
CLAUDE = _post("/v1/messages?beta=true", _message, {**_TYPED, "anthropic-version": "2023-06-01"}, MESSAGES)

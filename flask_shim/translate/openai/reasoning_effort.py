"""How hard a model shall think, in the words of OpenAI, Ollama and LM Studio. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.ollama.requests import Think
from flask_shim.translate.openai.chat_completions import adapt

_OPENAI: dict[str, Think] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
    "none": False,
}
"""Ollama's reading of OpenAI's words, in the order in which it lists them."""

_UNKNOWN_TO_LM_STUDIO = {"max": "high", "ultra": "high"}


def to_think(effort: str | None) -> Think:
    """Return Ollama's word for an effort; raise Ollama's 400 for one that is none."""
    if not effort:
        return None
    if effort not in _OPENAI:
        *most, last = map(go_quote, _OPENAI)
        text = f"invalid reasoning value: {go_quote(effort)} (must be {', '.join(most)}, or {last})"
        raise BadRequest(text, log_text="invalid reasoning value")
    return _OPENAI[effort]


def adapt_chat(body: Mapping[str, Any]) -> Payload:
    """Return a chat as ``adapt`` does, its effort in a word LM Studio takes; raise Ollama's 400 for one that is none.

    Ollama reads the effort from either of two places, and so may its clients write it.
    """
    payload = adapt(body)
    wish = payload.get("reasoning")
    effort = wish.get("effort") if isinstance(wish, Mapping) else None
    effort = payload.get("reasoning_effort") if effort is None else effort
    if isinstance(effort, str):
        to_think(effort)
        payload["reasoning_effort"] = _UNKNOWN_TO_LM_STUDIO.get(effort, effort)
    return payload

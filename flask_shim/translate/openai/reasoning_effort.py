"""Translate reasoning efforts between OpenAI, Ollama and LM Studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model, Support
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
"""Ollama's values for OpenAI's efforts, in the order of its error text."""

_UNKNOWN_TO_LM_STUDIO = {"max": "high", "ultra": "high"}


def to_think(effort: str | None) -> Think:
    """Return Ollama's value for an effort; raise Ollama's 400 for an unknown one."""
    if not effort:
        return None
    if effort not in _OPENAI:
        *most, last = map(go_quote, _OPENAI)
        text = f"invalid reasoning value: {go_quote(effort)} (must be {', '.join(most)}, or {last})"
        raise BadRequest(text, log_text="invalid reasoning value")
    return _OPENAI[effort]


def adapt_chat(body: Mapping[str, Any], model: Model | None = None) -> Payload:
    """Return the chat as ``adapt`` does, with an effort that LM Studio knows; raise Ollama's 400 for an unknown one.

    Ollama reads the effort from ``reasoning.effort`` or ``reasoning_effort``. LM Studio rejects both for a model that
    cannot think, so they are left out.
    """
    payload = adapt(body, model)
    wish = payload.get("reasoning")
    effort = wish.get("effort") if isinstance(wish, Mapping) else None
    effort = payload.get("reasoning_effort") if effort is None else effort
    if isinstance(effort, str):
        to_think(effort)
        payload["reasoning_effort"] = _UNKNOWN_TO_LM_STUDIO.get(effort, effort)
    if model is not None and model.reasoning is Support.NO:
        payload.pop("reasoning_effort", None)
        payload.pop("reasoning", None)
    return payload

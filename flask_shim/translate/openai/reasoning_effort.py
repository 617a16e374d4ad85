"""Translate reasoning efforts between OpenAI, Ollama and LM Studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

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


def to_think(effort: Any) -> Think:
    """Return Ollama's value for an effort; raise Ollama's 400 for an unknown one."""
    if effort in (None, ""):
        return None
    if not isinstance(effort, str) or effort not in _OPENAI:
        given = go_quote(effort) if isinstance(effort, str) else orjson.dumps(effort).decode()
        *most, last = map(go_quote, _OPENAI)
        text = f"invalid reasoning value: {given} (must be {', '.join(most)}, or {last})"
        raise BadRequest(text, log_text="invalid reasoning value")
    return _OPENAI[effort]


def adapt_chat(body: Mapping[str, Any], model: Model | None = None) -> Payload:
    """Return the chat as ``adapt`` does, with an effort that LM Studio knows; raise Ollama's 400 for an unknown one.

    Ollama reads the effort from ``reasoning.effort``, else from ``reasoning_effort``. LM Studio rejects both for a
    model that cannot think, so they are left out.
    """
    payload = adapt(body, model)
    reasoning = payload.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    effort = payload.pop("reasoning_effort", None) if effort is None else effort
    if to_think(effort) is not None:
        payload["reasoning_effort"] = _UNKNOWN_TO_LM_STUDIO.get(effort, effort)
    if model is not None and model.reasoning is Support.NO:
        payload.pop("reasoning_effort", None)
        payload.pop("reasoning", None)
    return payload

"""What Ollama rejects on OpenAI's routes before it looks for the model, in its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.errors import BadRequest

_GO_TYPES = {bool: "bool", int: "float64", float: "float64", list: "[]interface {}", dict: "map[string]interface {}"}
"""Go's names for JSON values of unknown type."""


def check_chat(body: Mapping[str, Any]) -> None:
    """Reject a chat without messages."""
    if not body.get("messages"):
        raise BadRequest("[] is too short - 'messages'")


def check_completion(body: Mapping[str, Any]) -> None:
    """Reject stop sequences that are not text."""
    stops = body.get("stop")
    for stop in stops if isinstance(stops, list) else ():
        if not isinstance(stop, str):
            raise BadRequest(f"invalid type for 'stop' field: {_GO_TYPES.get(type(stop), '<nil>')}")

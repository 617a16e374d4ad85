"""What Ollama refuses on OpenAI's routes before it looks for the model, in its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.errors import BadRequest

_GO_TYPES = {bool: "bool", int: "float64", float: "float64", list: "[]interface {}", dict: "map[string]interface {}"}
"""What Go calls a JSON value of no known type."""


def check_chat(body: Mapping[str, Any]) -> None:
    """Refuse a chat without a message."""
    if not body.get("messages"):
        raise BadRequest("[] is too short - 'messages'")


def check_completion(body: Mapping[str, Any]) -> None:
    """Refuse a list of stop texts that holds something else."""
    stops = body.get("stop")
    for stop in stops if isinstance(stops, list) else ():
        if not isinstance(stop, str):
            raise BadRequest(f"invalid type for 'stop' field: {_GO_TYPES.get(type(stop), '<nil>')}")

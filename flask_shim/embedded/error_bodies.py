"""LM Studio's error bodies, and JSON as it sends it."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from flask_shim.errors import ShimError

NO_MODELS_LOADED = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
MODEL_UNLOADED = "Model unloaded."
JSON_TYPE = "application/json; charset=utf-8"


def json_answer(payload: Any, status: int = 200) -> Response:
    """Answer with compact JSON, keys in the order given, as Node's Express does."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "surrogatepass"), status=status, content_type=JSON_TYPE)


class LMStudioError(ShimError):
    """An error response of LM Studio: ``status`` and the JSON ``body``."""

    def __init__(self, body: dict[str, Any], status: int = 400) -> None:
        super().__init__(str(body), status=status)
        self.body = body


def plain(text: str, status: int = 400) -> LMStudioError:
    """Return an error of ``/v1``: ``{"error": text}``."""
    return LMStudioError({"error": text}, status)


def openai(text: str, code: str | None, param: str | None = "model", status: int = 400) -> LMStudioError:
    """Return an error in OpenAI's format."""
    return LMStudioError(
        {"error": {"message": text, "type": "invalid_request_error", "param": param, "code": code}}, status
    )


def native(
    text: str, code: str, param: str | None = None, kind: str = "invalid_request", status: int = 400
) -> LMStudioError:
    """Return an error of ``/api/v1``."""
    return LMStudioError({"error": {"message": text, "type": kind, "code": code, "param": param}}, status)


def unknown_model(name: str, examples: list[str]) -> LMStudioError:
    """Return the error for an unknown name while no model is loaded (``/v1`` and ``/api/v0``)."""
    return openai(_invalid_identifier(name, examples), "model_not_found")


def unknown_native_model(name: str, examples: list[str]) -> LMStudioError:
    """Return the error for an unknown name (``/api/v1``)."""
    return native(_invalid_identifier(name, examples), "model_not_found", "model", "model_not_found", 404)


def ambiguous_model(name: str, keys: list[str]) -> LMStudioError:
    """Return the error for an unknown name while several models are loaded."""
    listed = "".join(f"{key}\n" for key in keys)
    text = f'Model "{name}" not found. Please specify a valid model.\n\nYour models:\n\n{listed}'
    return openai(text, "model_not_found", status=404)


def load_failure_text(key: str, reason: str) -> str:
    """Return the text for a model that could not be loaded."""
    return f'Failed to load model "{key}". Error: {reason}'


def crash_text(exit_code: int | None) -> str:
    """Return the text for an engine that died during a request."""
    code = "null" if exit_code is None else exit_code
    return f"The model has crashed without additional information. (Exit code: {code})"


def _invalid_identifier(name: str, examples: list[str]) -> str:
    if not examples:
        return f'Invalid model identifier "{name}". There are no downloaded llm models.'
    return (
        f'Invalid model identifier "{name}". Please specify a valid downloaded model (e.g., {", ".join(examples[:3])}).'
    )

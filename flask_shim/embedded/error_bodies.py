"""LM Studio's error bodies: every shape and text that clients are known to meet."""

from __future__ import annotations

from typing import Any

from flask_shim.errors import ShimError

NO_MODELS_LOADED = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
NONE_GIVEN = (
    "An LM Studio API token is required to make requests to this server, but none was provided using the Authorization "
    "header using the 'Bearer' scheme (i.e., 'Authorization: Bearer $LM_API_TOKEN'). "
    "Learn more at: https://lmstudio.ai/docs/developer/core/authentication."
)
MODEL_UNLOADED = "Model unloaded."
TOKEN_SHOWN = 10


class Refusal(ShimError):
    """An answer that is an error: ``status`` and the JSON ``body`` in one of LM Studio's shapes."""

    def __init__(self, body: dict[str, Any], status: int = 400) -> None:
        """Answer with ``body`` as it is."""
        super().__init__(str(body), status=status)
        self.body = body


def plain(text: str, status: int = 400) -> Refusal:
    """Refuse in the plain shape of ``/v1``: ``{"error": text}``."""
    return Refusal({"error": text}, status)


def openai(text: str, code: str | None, param: str | None = "model", status: int = 400) -> Refusal:
    """Refuse in OpenAI's shape."""
    return Refusal({"error": {"message": text, "type": "invalid_request_error", "param": param, "code": code}}, status)


def native(text: str, code: str, param: str | None = None, kind: str = "invalid_request", status: int = 400) -> Refusal:
    """Refuse in the shape of ``/api/v1``."""
    return Refusal({"error": {"message": text, "type": kind, "code": code, "param": param}}, status)


def unexpected(method: str, path: str) -> Refusal:
    """Answer for a path or a method that does not exist: with status 200, as LM Studio does."""
    return plain(f"Unexpected endpoint or method. ({method} {path})", 200)


def missing_token() -> Refusal:
    """Refuse a request without a token."""
    return _unauthorized(NONE_GIVEN)


def malformed_token(token: str) -> Refusal:
    """Refuse a token that is not ours, showing no more than its start."""
    return _unauthorized(f"Malformed LM Studio API token provided: {token[:TOKEN_SHOWN]}{'*' * 14}")


def unknown_model(name: str, examples: list[str]) -> Refusal:
    """Refuse a name that is no model's while none is loaded (``/v1`` and ``/api/v0``)."""
    return openai(_invalid_identifier(name, examples), "model_not_found")


def unknown_native_model(name: str, examples: list[str]) -> Refusal:
    """Refuse a name that is no model's (``/api/v1``)."""
    return native(_invalid_identifier(name, examples), "model_not_found", "model", "model_not_found", 404)


def ambiguous_model(name: str, keys: list[str]) -> Refusal:
    """Refuse a name that is no model's while several are loaded."""
    listed = "".join(f"{key}\n" for key in keys)
    text = f'Model "{name}" not found. Please specify a valid model.\n\nYour models:\n\n{listed}'
    return openai(text, "model_not_found", status=404)


def load_failed(key: str, reason: str) -> str:
    """Return the text for a model that could not be loaded."""
    return f'Failed to load model "{key}". Error: {reason}'


def crashed(exit_code: int | None) -> str:
    """Return the text for an engine that died while it was asked."""
    code = "null" if exit_code is None else exit_code
    return f"The model has crashed without additional information. (Exit code: {code})"


def _invalid_identifier(name: str, examples: list[str]) -> str:
    if not examples:
        return f'Invalid model identifier "{name}". There are no downloaded llm models.'
    return (
        f'Invalid model identifier "{name}". Please specify a valid downloaded model (e.g., {", ".join(examples[:3])}).'
    )


def _unauthorized(text: str) -> Refusal:
    error = {"type": "invalid_request", "code": "invalid_api_key", "message": text}
    return Refusal({"error": error}, 401)

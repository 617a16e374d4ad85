"""Check chat, completion and embedding requests as LM Studio does, and keep what it sends to the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask_shim.embedded.error_bodies import LMStudioError, plain
from flask_shim.embedded.mini_settings import Generation

Body = dict[str, Any]

SAMPLING = {
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "stop", "seed", "presence_penalty", "frequency_penalty",
    "repeat_penalty", "logit_bias", "stream", "stream_options",
}  # fmt: skip
CHAT = SAMPLING | {"messages", "tools", "tool_choice", "response_format"}
CHAT_SINCE_V1 = {"reasoning_effort", "chat_template_kwargs", "max_completion_tokens"}
"""Older builds accept and ignore these."""
COMPLETION = SAMPLING | {"prompt"}
EMBEDDING = {"input"}
NEVER_PASSED_ON = {"model", "ttl", "draft_model", "preset"}
"""Removed from requests that are forwarded: the engine does not know these."""

ROLES = ("user", "assistant", "system", "tool")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
IMAGE_URL = re.compile(r"data:image/(png|jpe?g);base64,", re.IGNORECASE)
INVALID_MESSAGES = "Invalid 'messages' in payload. Please check the structure of your 'messages' and try again"
BAD_PARAMETERS = """[
  {
    "code": "invalid_union_discriminator",
    "options": ["object"],
    "path": [%d, "function", "parameters", "type"],
    "message": "Invalid discriminator value. Expected 'object'"
  }
]"""


def chat_payload(body: Body, generation: Generation) -> Body:
    """Return the engine's request for a chat, or raise LM Studio's error."""
    if "messages" not in body:
        raise plain("'messages' field is required")
    if not isinstance(body["messages"], list):
        raise plain(INVALID_MESSAGES)
    messages = [_message(message, generation) for message in body["messages"]]
    if not all(isinstance(url, str) and IMAGE_URL.match(url) for url in _image_urls(messages)):
        raise plain("'url' field must be a base64 encoded image.")
    _check_tools(body)
    formats = ("json_schema",) if generation == "openai" else ("json_schema", "text")
    wanted = body.get("response_format")
    if wanted is not None and (not isinstance(wanted, dict) or wanted.get("type") not in formats):
        raise plain(f"'response_format.type' must be {' or '.join(map(repr, formats))}")
    allowed = CHAT | CHAT_SINCE_V1 if generation == "v1" else CHAT
    if "reasoning_effort" in allowed and body.get("reasoning_effort") not in (None, *EFFORTS):
        raise plain(f"Invalid reasoning_effort. Supported values: {', '.join(EFFORTS)}")
    return _only(body, allowed) | {"messages": messages}


def check_vision(payload: Body, *, has_vision: bool) -> None:
    """Reject images for a model without vision."""
    if not has_vision and any(_image_urls(payload["messages"])):
        raise plain("Model does not support images. Please use a model that does.")


def completion_payload(body: Body) -> Body:
    """Return the engine's request for a completion without a template."""
    if not isinstance(body.get("prompt"), str):
        raise plain("'prompt' field is required and must be a string")
    return _only(body, COMPLETION)


def embedding_payload(body: Body) -> Body:
    """Return the engine's request for embeddings; LM Studio ignores formats and dimensions."""
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise plain("'input' field must be a string or an array of strings")
    return _only(body, EMBEDDING)


def passed_on(body: Body) -> Body:
    """Return a Responses or Messages request without LM Studio's own fields."""
    return {name: value for name, value in body.items() if name not in NEVER_PASSED_ON}


def _only(body: Body, names: set[str]) -> Body:
    return {name: value for name, value in body.items() if name in names and value is not None}


def _message(message: Any, generation: Generation) -> Body:
    if not isinstance(message, dict):
        raise plain(INVALID_MESSAGES)
    role = message.get("role")
    if role == "developer" and generation != "openai":
        return message | {"role": "system"}
    if role not in ROLES:
        allowed = ", ".join(ROLES)
        raise plain(
            f"'messages' array must only contain objects with a 'role' field that is in [{allowed}]. Got '{role}'"
        )
    if not _has_fit_content(role, message):
        raise plain(INVALID_MESSAGES)
    return message


def _has_fit_content(role: str, message: Body) -> bool:
    content = message.get("content")
    if role == "tool":
        return isinstance(content, str) and isinstance(message.get("tool_call_id"), str)
    if role == "assistant" and content is None:
        return True
    if isinstance(content, list):
        return all(isinstance(part, dict) and part.get("type") in ("text", "image_url") for part in content)
    return isinstance(content, str)


def _image_urls(messages: list[Body]) -> Iterator[Any]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "image_url":
                image = part.get("image_url")
                yield image.get("url") if isinstance(image, dict) else None


def _check_tools(body: Body) -> None:
    choice = body.get("tool_choice")
    if choice not in (None, "none", "auto", "required"):
        kind = "object" if isinstance(choice, dict) else type(choice).__name__
        raise plain(f"Invalid tool_choice type: '{kind}'. Supported string values: none, auto, required")
    tools = body.get("tools")
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        parameters = function.get("parameters") if isinstance(function, dict) else None
        if parameters is not None and (not isinstance(parameters, dict) or parameters.get("type") != "object"):
            raise LMStudioError({"error": BAD_PARAMETERS % index})

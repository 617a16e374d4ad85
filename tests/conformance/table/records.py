"""What the objects of chat and generate look like (sections 7.5 and 7.6)."""

from __future__ import annotations

from typing import Any

from support.shapes import NATURAL, POSITIVE, TEXT, UTC, every, one_of

METRICS: dict[Any, Any] = {
    "total_duration": POSITIVE,
    "load_duration": POSITIVE,
    "prompt_eval_count": POSITIVE,
    "prompt_eval_cached_count": NATURAL,
    "prompt_eval_duration": POSITIVE,
    "eval_count": POSITIVE,
    "eval_duration": POSITIVE,
}
"""The demands of Ollama's own tests: none of them may be 0, except the cached count."""

STOPPED = one_of("stop", "length")

SAID = {"role": "assistant", "content": TEXT}
SILENT = {"role": "assistant", "content": ""}


def chat_chunk(message: Any = SAID, model: str = "plain") -> dict[Any, Any]:
    """Describe a line of a chat that is not the last."""
    return {"model": model, "created_at": UTC, "message": message, "done": False}


def chat_done(message: Any = SILENT, model: str = "plain", reason: Any = STOPPED) -> dict[Any, Any]:
    """Describe the last line of a chat, or the whole of one."""
    return {
        "model": model,
        "created_at": UTC,
        "message": message,
        "done": True,
        "done_reason": reason,
        **METRICS,
    }


def bare_chat(reason: str, model: str = "plain") -> dict[Any, Any]:
    """Describe the answer to a load or an unload."""
    return {"model": model, "created_at": UTC, "message": SILENT, "done": True, "done_reason": reason}


def generate_chunk(model: str = "plain") -> dict[Any, Any]:
    """Describe a line of an answer to generate that is not the last."""
    return {"model": model, "created_at": UTC, "response": TEXT, "done": False}


def thinking_chunk(model: str = "tiny-think") -> dict[Any, Any]:
    """Describe a line of thinking of an answer to generate."""
    return {"model": model, "created_at": UTC, "response": "", "thinking": TEXT, "done": False}


def generate_done(
    response: Any = "", model: str = "plain", reason: Any = STOPPED, more: dict[Any, Any] | None = None
) -> dict[Any, Any]:
    """Describe the last line of an answer to generate, or the whole of one; ``more`` comes before ``done``."""
    return {
        "model": model,
        "created_at": UTC,
        "response": response,
        **(more or {}),
        "done": True,
        "done_reason": reason,
        "context": every(POSITIVE, 1),
        **METRICS,
    }


def raw_done(response: Any, model: str = "plain", reason: Any = STOPPED) -> dict[Any, Any]:
    """Describe the whole of an answer to a raw prompt, which has no context."""
    shape = generate_done(response, model, reason)
    del shape["context"]
    return shape


def bare_generate(reason: str, model: str = "plain") -> dict[Any, Any]:
    """Describe the answer to a load or an unload."""
    return {"model": model, "created_at": UTC, "response": "", "done": True, "done_reason": reason}


CHAT_CHUNK = chat_chunk()
CHAT_DONE = chat_done()
CHAT_WHOLE = chat_done(SAID)
LOADED_CHAT = bare_chat("load")
UNLOADED_CHAT = bare_chat("unload")
GENERATE_CHUNK = generate_chunk()
GENERATE_DONE = generate_done()
GENERATE_WHOLE = generate_done(TEXT)

"""What a model can do, as Ollama names it, and the errors for what it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Kind, Model, Support
from flask_shim.translate.ollama.name_heuristics import (
    insert_tokens,
    suggests_thinking,
    suggests_tools,
    suggests_vision,
)
from flask_shim.translate.ollama.names import qualified
from flask_shim.translate.ollama.requests import Think

_THINK: dict[str, bool | str] = {"off": False, "on": True}  # Ollama's values for LM Studio's; the others are the same


def has_vision(model: Model) -> bool:
    """Return whether the model accepts images; the name decides where the backend does not report it."""
    return model.vision is Support.YES or (model.vision is Support.UNKNOWN and suggests_vision(model.key))


def has_tools(model: Model) -> bool:
    """Return whether the model calls tools; the name decides where the backend does not report it."""
    return model.tools is Support.YES or (model.tools is Support.UNKNOWN and suggests_tools(model.key))


def has_thinking(model: Model) -> bool:
    """Return whether the model thinks.

    The backend only reports thinking that can be switched; models that always think are known by name.
    """
    return model.reasoning is Support.YES or suggests_thinking(model.key)


def capabilities(model: Model) -> list[str]:
    """Return Ollama's list for the model, which always contains "completion", "embedding" or "decision"."""
    if model.kind is Kind.EMBEDDING:
        return ["embedding"]
    if model.kind is Kind.DECISION:
        return ["decision", *(["vision"] if model.vision is Support.YES else [])]
    optional = (
        ("vision", has_vision(model)),
        ("tools", has_tools(model)),
        ("insert", insert_tokens(model.key) is not None),
        ("thinking", has_thinking(model)),
    )
    return ["completion", *(name for name, is_there in optional if is_there)]


def think_values(model: Model) -> tuple[list[bool | str], bool | str] | None:
    """Return the values that ``think`` can have for the model, and the default; None if the backend reports neither."""
    values = [_THINK.get(option, option) for option in model.reasoning_options]
    default = _THINK.get(model.reasoning_default or "", model.reasoning_default or "")
    return (values, default) if default in values else None


def supported_think(think: Think, model: Model) -> Think:
    """Return the value that the model has for ``think``; None is its default.

    As in Ollama 0.40: an unknown name means the default of a model with named levels, and true for another one; false
    has no effect on a model that cannot be kept from thinking.
    """
    reported = think_values(model)
    if think is None or reported is None:
        return think
    values, default = reported
    levels = [value for value in values if isinstance(value, str)]
    if think is True and levels:
        return None if default else levels[len(levels) // 2]
    if think in values:
        return think
    return True if think and not levels else None


def check_thinking(name: str, think: Think, model: Model) -> None:
    """Reject thinking for a model that certainly cannot think."""
    if think and model.reasoning is Support.NO and not has_thinking(model):
        raise BadRequest(f'"{name}" does not support thinking')


def check_chat(name: str, tools: Sequence[object], model: Model) -> None:
    """Reject chats with a model that writes no text, and tools for a model that certainly cannot call them."""
    if model.kind is not Kind.LLM:
        raise BadRequest(f'"{name}" does not support chat')
    if tools and model.tools is Support.NO:
        raise BadRequest(f"{qualified(name)} does not support tools")


def check_generate(name: str, suffix: str, model: Model) -> None:
    """Reject a model that writes no text, and a suffix for a model that is not trained to insert."""
    if model.kind is not Kind.LLM:
        raise BadRequest(f'"{name}" does not support generate')
    if suffix and insert_tokens(model.key) is None:
        raise BadRequest(f"{qualified(name)} does not support insert")

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
    """Return Ollama's list for the model, which always contains "completion" or "embedding"."""
    if model.kind is Kind.EMBEDDING:
        return ["embedding"]
    optional = (
        ("vision", has_vision(model)),
        ("tools", has_tools(model)),
        ("insert", insert_tokens(model.key) is not None),
        ("thinking", has_thinking(model)),
    )
    return ["completion", *(name for name, is_there in optional if is_there)]


def check_thinking(name: str, think: Think, model: Model) -> None:
    """Reject thinking for a model that certainly cannot think."""
    if think and model.reasoning is Support.NO and not has_thinking(model):
        raise BadRequest(f'"{name}" does not support thinking')


def check_chat(name: str, tools: Sequence[object], model: Model) -> None:
    """Reject chats with an embedding model, and tools for a model that certainly cannot call them."""
    if model.kind is Kind.EMBEDDING:
        raise BadRequest(f'"{name}" does not support chat')
    if tools and model.tools is Support.NO:
        raise BadRequest(f"{qualified(name)} does not support tools")


def check_generate(name: str, suffix: str, model: Model) -> None:
    """Reject an embedding model, and a suffix for a model that is not trained to insert."""
    if model.kind is Kind.EMBEDDING:
        raise BadRequest(f'"{name}" does not support generate')
    if suffix and insert_tokens(model.key) is None:
        raise BadRequest(f"{qualified(name)} does not support insert")

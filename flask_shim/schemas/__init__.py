"""What clients may send. The readers of Ollama's own routes are here, those of the others in their modules."""

from __future__ import annotations

from flask_shim.schemas.ollama_readers import (
    load_chat,
    load_copy,
    load_create,
    load_delete,
    load_embed,
    load_embeddings,
    load_generate,
    load_pull,
    load_push,
    load_show,
)

__all__ = [
    "load_chat",
    "load_copy",
    "load_create",
    "load_delete",
    "load_embed",
    "load_embeddings",
    "load_generate",
    "load_pull",
    "load_push",
    "load_show",
]

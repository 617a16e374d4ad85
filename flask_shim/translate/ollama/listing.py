"""The entries of the model list, as /api/tags, /api/ps and the recommendations show them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from flask_shim.config.shim_file import ModelProfile
from flask_shim.lmstudio.model import Kind, Model
from flask_shim.translate.ollama.capabilities import capabilities
from flask_shim.translate.ollama.name_heuristics import estimated_bytes, family, parameter_size
from flask_shim.translate.ollama.requests import AliasSettings

NO_PROFILE = ModelProfile()

_LOAD_SETTINGS = ("flash_attention", "offload_kv_cache_to_gpu", "eval_batch_size", "num_experts")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

FOREVER_NS = (1 << 63) - 1
"""How far ahead Ollama sets the expiry of a model that stays loaded: about 292 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(AliasSettings):
    """One name in the list: a model under its own name, or an alias with settings of the user.

    ``modified_ns`` is when the shim first saw it (ns since 1970), because the backend reports no dates. ``base`` is the
    model key or variant of an alias, empty for a model. ``parameters`` and ``system`` include those of the ``profile``.
    """

    name: str
    model: Model
    modified_ns: int
    base: str = ""
    parent: str = ""
    profile: ModelProfile = NO_PROFILE

    @property
    def load_settings(self) -> dict[str, Any]:
        """LM Studio's settings for loading the model, in addition to its context."""
        named = {name: getattr(self.profile, name) for name in _LOAD_SETTINGS}
        return {name: value for name, value in named.items() if value is not None}


def context_length(entry: Entry) -> int | None:
    """Return the context: the loaded one if the model is loaded, else that of its profile, else its maximum."""
    model, wanted = entry.model, entry.profile.context
    maximum = model.max_context_length
    return model.loaded_context_length or (min(wanted, maximum or wanted) if wanted else maximum)


def digest(entry: Entry) -> str:
    """Return 64 hex digits that are equal in every process and change with the model's abilities and settings."""
    model = entry.model
    facts = [
        entry.name,
        model.key,
        model.format,
        model.quantization,
        model.size_bytes,
        model.selected_variant,
        capabilities(model),
        entry.system,
        entry.template,
        dict(entry.parameters),
        [[message.role, message.content] for message in entry.messages],
        *([dict(entry.config)] if entry.config else []),
    ]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def to_tags(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the body of /api/tags, newest first."""
    ordered = sorted(entries, key=lambda entry: entry.modified_ns // 1_000_000_000, reverse=True)
    return {"models": [_tag(entry) for entry in ordered]}


def _tag(entry: Entry) -> dict[str, Any]:
    shown = details(entry)
    if (length := context_length(entry)) is not None:
        shown["context_length"] = length
    return {
        "name": entry.name,
        "model": entry.name,
        "modified_at": to_local(entry.modified_ns),
        "size": size_bytes(entry.model),
        "digest": digest(entry),
        "details": shown,
        "capabilities": capabilities(entry.model),
    }


def to_ps(entries: Iterable[tuple[Entry, float]], now_ns: int) -> dict[str, Any]:
    """Return the body of /api/ps. Each entry comes with the seconds until it is unloaded, which may be infinite."""
    ordered = sorted(entries, key=lambda pair: pair[1], reverse=True)
    return {"models": [_running(entry, seconds, now_ns) for entry, seconds in ordered]}


def _running(entry: Entry, seconds: float, now_ns: int) -> dict[str, Any]:
    size = size_bytes(entry.model)
    left_ns = FOREVER_NS if math.isinf(seconds) else round(seconds * 1e9)
    return {
        "name": entry.name,
        "model": entry.name,
        "size": size,
        "digest": digest(entry),
        "details": details(entry),
        "expires_at": to_local(now_ns + left_ns),
        # LM Studio does not report how much is on the GPU; clients read a smaller number as "runs on the CPU".
        "size_vram": size,
        "context_length": context_length(entry) or 0,
    }


def to_recommendations(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the body of /api/experimental/model-recommendations, without embedding models."""
    recommendations = []
    for entry in entries:
        model, length = entry.model, context_length(entry)
        if model.kind is Kind.LLM:
            facts = (model.display_name, model.parameters, model.quantization, "in LM Studio")
            shown = {"model": entry.name, "description": " ".join(filter(None, facts))}
            recommendations.append(shown if length is None else {**shown, "context_length": length})
    return {"recommendations": recommendations}


def size_bytes(model: Model) -> int:
    """Return the size on disk: as reported by the backend, else estimated from the name, else 0."""
    if model.size_bytes is not None:
        return model.size_bytes
    return estimated_bytes(model.parameters or parameter_size(model.key), model.quantization or "Q4_K_M")


def architecture(model: Model) -> str:
    """Return the architecture: as reported by the backend, else derived from the name."""
    if model.architecture is None and model.kind is Kind.EMBEDDING:
        # LM Studio 0.4 does not report it; clients leave families with "bert" out of their chat models.
        return "bert"
    return model.architecture or family(model.key)


def details(entry: Entry) -> dict[str, Any]:
    """Return the six details of all three lists."""
    model = entry.model
    return {
        "parent_model": entry.parent,
        "format": model.format or "gguf",
        "family": architecture(model),
        "families": [architecture(model)],
        "parameter_size": model.parameters or parameter_size(model.key),
        "quantization_level": model.quantization or "unknown",
    }


def to_local(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as Go prints them in lists: in this machine's zone, without trailing zeros."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    local = (_EPOCH + timedelta(seconds=seconds)).astimezone(_zone())
    fraction = f"{rest:09d}".rstrip("0")
    zone = local.strftime("%z")
    suffix = "Z" if zone in ("+0000", "") else f"{zone[:3]}:{zone[3:5]}"
    return f"{local:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}{suffix}"


def _zone() -> timezone:
    # The present offset also for moments centuries ahead: Windows cannot convert those.
    return timezone(datetime.now().astimezone().utcoffset() or timedelta())

"""Models as /api/tags, /api/show and /api/ps tell them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from flask_shim.lmstudio.model import Kind, Model
from flask_shim.translate.ollama.capabilities import capabilities
from flask_shim.translate.ollama.dates import to_local
from flask_shim.translate.ollama.name_heuristics import estimated_bytes, family, parameter_count, parameter_size
from flask_shim.translate.ollama.requests import Message

FOREVER_NS = (1 << 63) - 1
"""How far ahead Ollama puts the expiry of a model that stays: about 292 years."""

OWN_TEMPLATE = "{{- /* LM Studio applies the model's own template */ -}}"
"""Begins every template that we made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name in the lists: a model under its own name, or under one the user gave it with settings of its own.

    ``modified_ns`` is when this shim first saw it (ns since 1970): the backend keeps no dates. ``base`` names the
    variant behind a name of the user's; left empty it is the model's key.
    """

    name: str
    model: Model
    modified_ns: int
    base: str = ""
    parent: str = ""
    system: str = ""
    template: str = ""
    license: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


def context_length(model: Model) -> int | None:
    """Return the context the model has: as loaded if it is loaded, else its maximum."""
    return model.loaded_context_length or model.max_context_length


def digest(entry: Entry) -> str:
    """Return 64 hex digits that are the same in every process and change when what the model can do changes."""
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
    ]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def to_tags(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the body of /api/tags, newest first."""
    ordered = sorted(entries, key=lambda entry: entry.modified_ns // 1_000_000_000, reverse=True)
    return {"models": [_tag(entry) for entry in ordered]}


def _tag(entry: Entry) -> dict[str, Any]:
    details = _details(entry)
    if (length := context_length(entry.model)) is not None:
        details["context_length"] = length
    return {
        "name": entry.name,
        "model": entry.name,
        "modified_at": to_local(entry.modified_ns),
        "size": size_bytes(entry.model),
        "digest": digest(entry),
        "details": details,
        "capabilities": capabilities(entry.model),
    }


def to_ps(entries: Iterable[tuple[Entry, float]], now_ns: int) -> dict[str, Any]:
    """Return the body of /api/ps. Each entry comes with the seconds it has left (infinity: it stays)."""
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
        "details": _details(entry),
        "expires_at": to_local(now_ns + left_ns),
        # LM Studio does not say how much of it the GPU holds; clients read a smaller number as "runs on the CPU".
        "size_vram": size,
        "context_length": context_length(entry.model) or 0,
    }


def to_show(entry: Entry, *, system: str = "", options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of /api/show; ``system`` and ``options`` of the request show up in the modelfile."""
    told = dict(entry.parameters)
    if entry.model.loaded_context_length:
        told.setdefault("num_ctx", entry.model.loaded_context_length)
    template = entry.template or template_of(entry.model)
    system = system or entry.system
    body: dict[str, Any] = {
        "license": entry.license,
        "modelfile": _modelfile(entry, template, system, {**told, **(options or {})}),
        "parameters": "\n".join(f"{key:<30} {_literal(value)}" for key, value in _lines(told)),
        "template": template,
        "system": system,
        "details": _details(entry),
        "messages": [{"role": message.role, "content": message.content} for message in entry.messages],
        "model_info": model_info(entry),
        "capabilities": capabilities(entry.model),
        "modified_at": to_local(entry.modified_ns),
    }
    optional = ("license", "parameters", "system", "messages")
    return {key: value for key, value in body.items() if value or key not in optional}


def model_info(entry: Entry) -> dict[str, Any]:
    """Return what is known of the model, under GGUF's names, with exactly one ``context_length``."""
    model = entry.model
    architecture = _architecture(model)
    basename = entry.name.removesuffix(":latest")
    info: dict[str, Any] = {"general.architecture": architecture, "general.basename": basename}
    if (count := parameter_count(model.parameters or parameter_size(model.key))) is not None:
        info["general.parameter_count"] = count
    if (length := context_length(model)) is not None:
        info[f"{architecture}.context_length"] = length
    return dict(sorted(info.items()))


def size_bytes(model: Model) -> int:
    """Return the size on disk: the backend's number, else what the name suggests, else 0."""
    if model.size_bytes is not None:
        return model.size_bytes
    return estimated_bytes(model.parameters or parameter_size(model.key), model.quantization or "Q4_K_M")


def template_of(model: Model) -> str:
    """Return a template that says what the model takes. LM Studio applies the model's own and does not show it.

    Clients look for ".Tools" and ".Suffix" in it to find out whether they may send tools or ask for an insertion.
    """
    can = capabilities(model)
    lines = [OWN_TEMPLATE, "{{ if .System }}{{ .System }}{{ end }}"]
    if "tools" in can:
        lines.append("{{ if .Tools }}{{ .Tools }}{{ end }}")
    if "insert" in can:
        lines.append("{{ if .Suffix }}{{ .Prompt }}{{ .Suffix }}{{ end }}")
    return "\n".join([*lines, "{{ .Prompt }}"])


def _architecture(model: Model) -> str:
    if model.architecture is None and model.kind is Kind.EMBEDDING:
        return "bert"  # LM Studio 0.4 does not name it; clients leave families with "bert" out of their chat models
    return model.architecture or family(model.key)


def _details(entry: Entry) -> dict[str, Any]:
    model = entry.model
    architecture = _architecture(model)
    return {
        "parent_model": entry.parent,
        "format": model.format or "gguf",
        "family": architecture,
        "families": [architecture],
        "parameter_size": model.parameters or parameter_size(model.key),
        "quantization_level": model.quantization or "unknown",
    }


def _lines(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return one line per value, arrays one line each."""
    return [
        (key, item)
        for key, value in parameters.items()
        for item in (value if isinstance(value, list | tuple) else [value])
        if item is not None
    ]


def _modelfile(entry: Entry, template: str, system: str, parameters: Mapping[str, Any]) -> str:
    lines = [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        f"# FROM {entry.name}",
        "",
        f"FROM {entry.base or entry.model.key}",
        f"TEMPLATE {_quoted(template)}",
    ]
    if system:
        lines.append(f"SYSTEM {_quoted(system)}")
    lines += [
        f"PARAMETER {key} {_quoted(value) if isinstance(value, str) else _literal(value)}"
        for key, value in _lines(parameters)
    ]
    lines += [f"MESSAGE {message.role} {_quoted(message.content)}" for message in entry.messages]
    if entry.license:
        lines.append(f"LICENSE {_quoted(entry.license)}")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    """Write a value as Go prints it, strings in quotes; Modelfiles have them bare."""
    return orjson.dumps(value).decode()


def _quoted(text: str) -> str:
    return f'"""{text}"""' if "\n" in text or '"' in text else text

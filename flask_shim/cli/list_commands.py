"""``flask-shim models``, ``ps`` and ``show``: what LM Studio has, what it has loaded, what a name stands for."""

from __future__ import annotations

from typing import Any

import click

from flask_shim.cli.cli_context import open_services, resolve_name
from flask_shim.cli.setting_options import backend_options, json_option
from flask_shim.cli.tables import UNKNOWN, Row, print_facts, print_json, print_rows, size_text, text_of
from flask_shim.lmstudio import Instance, Model
from flask_shim.translate.ollama.capabilities import capabilities
from flask_shim.translate.ollama.listing import Entry, context_length


@click.command()
@backend_options
@json_option
def models(*, as_json: bool, **options: str | None) -> None:
    """List LM Studio's models and the names made from them, as clients use them.

    Into a pipe: one line for each name, columns separated by tabs, no heading.
    """
    with open_services(options) as services:
        rows = [_row(entry) for entry in services.registry.entries(services.backend.listing())]
    print_rows(rows, _model_cells, as_json=as_json)


@click.command()
@backend_options
@json_option
def ps(*, as_json: bool, **options: str | None) -> None:
    """List the models that are loaded.

    Into a pipe: one line for each loaded copy, columns separated by tabs, no heading.
    """
    with open_services(options) as services:
        listing = services.backend.listing()
        loaded = listing.loaded()
        entries = [entry for entry in services.registry.models(listing) if entry.model in loaded]
    rows = [_copy_row(entry, instance) for entry in entries for instance in entry.model.instances]
    print_rows(rows, _copy_cells, as_json=as_json)


@click.command()
@click.argument("name", metavar="MODEL")
@backend_options
@json_option
def show(*, name: str, as_json: bool, **options: str | None) -> None:
    """Tell all that is known of a model, or of a name made from one."""
    with open_services(options) as services:
        entry = resolve_name(services, name).entry
    if as_json:
        print_json({**_row(entry), **_details(entry)})
    else:
        print_facts(_facts(entry))


def _row(entry: Entry) -> Row:
    """Return what is known of a model; sizes are bytes, lengths tokens, None is what LM Studio does not tell."""
    model = entry.model
    return {
        "name": entry.name,
        "key": model.key,
        "kind": model.kind.value,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "quantization": model.quantization,
        "format": model.format,
        "size_bytes": model.size_bytes,
        "context_length": context_length(model),
        "capabilities": capabilities(model),
        "is_loaded": model.is_loaded,
    }


def _details(entry: Entry) -> Row:
    """Return the details that only ``show`` prints, with those of an alias if the name is one."""
    model = entry.model
    return {
        "display_name": model.display_name,
        "publisher": model.publisher,
        "max_context_length": model.max_context_length,
        "variants": list(model.variants),
        "instances": [_copy(instance) for instance in model.instances],
        "from": entry.parent or entry.base,
        "system": entry.system,
        "template": entry.template,
        "option_values": dict(entry.parameters),
        "messages": [{"role": turn.role, "content": turn.content} for turn in entry.messages],
    }


def _copy(instance: Instance) -> Row:
    """Return what is known of a loaded copy; the time left is in seconds."""
    return {
        "instance": instance.id,
        "context_length": instance.context_length,
        "seconds_left": instance.ttl_seconds,
    }


def _copy_row(entry: Entry, instance: Instance) -> Row:
    return {"name": entry.name, "key": entry.model.key, "size_bytes": entry.model.size_bytes, **_copy(instance)}


def _model_cells(row: Row) -> dict[str, str]:
    return {
        "NAME": row["name"],
        "KIND": row["kind"],
        "SIZE": size_text(row["size_bytes"]),
        "PARAMETERS": text_of(row["parameters"]),
        "QUANT": text_of(row["quantization"]),
        "CONTEXT": text_of(row["context_length"]),
        "LOADED": "yes" if row["is_loaded"] else "no",
        "CAN": ", ".join(row["capabilities"]),
    }


def _copy_cells(row: Row) -> dict[str, str]:
    return {
        "NAME": row["name"],
        "INSTANCE": row["instance"],
        "SIZE": size_text(row["size_bytes"]),
        "CONTEXT": text_of(row["context_length"]),
        "SECONDS LEFT": _seconds(row["seconds_left"]),
    }


def _seconds(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds:.0f}"


def _facts(entry: Entry) -> dict[str, str]:
    """Return the facts in the order of their interest; what a name made from a model brings comes last."""
    model = entry.model
    facts: dict[str, Any] = {
        "name": entry.name,
        "key": model.key,
        "title": model.display_name,
        "publisher": model.publisher,
        "kind": model.kind.value,
        "can": ", ".join(capabilities(model)),
        "architecture": model.architecture,
        "parameters": model.parameters,
        "quantization": model.quantization,
        "format": model.format,
        "size": size_text(model.size_bytes),
        "context": f"at most {model.max_context_length} tokens" if model.max_context_length else None,
        "variants": ", ".join(model.variants),
        "loaded": _loaded(model),
    }
    brought = {
        "from": entry.parent or entry.base,
        "system": entry.system,
        "template": entry.template,
        "options": ", ".join(f"{name}={value}" for name, value in entry.parameters.items()),
        "messages": str(len(entry.messages) or ""),
    }
    return {name: text_of(fact) for name, fact in facts.items()} | {
        name: fact for name, fact in brought.items() if fact
    }


def _loaded(model: Model) -> str:
    copies = [
        f"{copy.id} with {text_of(copy.context_length)} tokens" if copy.context_length else copy.id
        for copy in model.instances
    ]
    return "; ".join(copies) or ("yes" if model.is_loaded else "no")

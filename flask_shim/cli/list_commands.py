"""``flask-shim models``, ``ps`` and ``show``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from flask_shim.cli.cli_context import complete_names, open_services, resolve_name
from flask_shim.cli.setting_options import backend_options, json_option
from flask_shim.cli.tables import UNKNOWN, Row, print_facts, print_json, print_rows, size_text, text_of
from flask_shim.lmstudio import Instance, Model
from flask_shim.models.backends import Backend
from flask_shim.translate.ollama.capabilities import capabilities
from flask_shim.translate.ollama.listing import Entry, context_length


@click.command()
@backend_options
@json_option
def models(*, as_json: bool, **options: str | None) -> None:
    """List the models, as clients name them.

    In a pipe: one line per name, with tabs between the columns and without heading.
    """
    with open_services(options) as services:
        listing = services.backends.listing()
        places = services.backends.places_by_model(listing)
        rows = [_row(entry) | _machines(places, entry) for entry in services.registry.entries(listing)]
    print_rows(rows, _model_cells, as_json=as_json)


@click.command()
@backend_options
@json_option
def ps(*, as_json: bool, **options: str | None) -> None:
    """List the loaded models.

    In a pipe: one line per loaded instance, with tabs between the columns and without heading.
    """
    with open_services(options) as services:
        listing = services.backends.listing()
        loaded = listing.loaded()
        places = services.backends.places_by_model(listing)
        entries = [entry for entry in services.registry.models(listing) if entry.model in loaded]
    rows = [
        {"name": entry.name, "key": model.key, "size_bytes": model.size_bytes, **_instance(instance)}
        | ({"backend": backend.name} if places else {})
        for entry in entries
        for backend, model in places.get(entry.model.key) or [(services.backends.first, entry.model)]
        for instance in model.instances
    ]
    print_rows(rows, _instance_cells, as_json=as_json)


@click.command()
@click.argument("name", metavar="MODEL", shell_complete=complete_names)
@backend_options
@json_option
def show(*, name: str, as_json: bool, **options: str | None) -> None:
    """Show all that is known about a model."""
    with open_services(options) as services:
        entry = resolve_name(services, name).entry
    if as_json:
        print_json({**_row(entry), **_details(entry)})
    else:
        print_facts(_facts(entry))


def _row(entry: Entry) -> Row:
    """Return the JSON of a model: sizes in bytes, lengths in tokens, None for what LM Studio does not report."""
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
        "context_length": context_length(entry),
        "capabilities": capabilities(model),
        "is_loaded": model.is_loaded,
    }


def _machines(places: Mapping[str, Sequence[tuple[Backend, Model]]], entry: Entry) -> Row:
    """Return the LM Studios that have a model, if there are several."""
    return {"backends": [backend.name for backend, _ in places.get(entry.model.key, ())]} if places else {}


def _details(entry: Entry) -> Row:
    """Return the JSON that only ``show`` prints, with that of an alias."""
    model = entry.model
    return {
        "display_name": model.display_name,
        "publisher": model.publisher,
        "max_context_length": model.max_context_length,
        "variants": list(model.variants),
        "instances": [_instance(instance) for instance in model.instances],
        "from": entry.parent or entry.base,
        "system": entry.system,
        "template": entry.template,
        "option_values": dict(entry.parameters),
        "load_settings": entry.load_settings,
        "think": entry.profile.think,
        "keep_alive": entry.profile.keep_alive,
        "messages": [{"role": turn.role, "content": turn.content} for turn in entry.messages],
    }


def _instance(instance: Instance) -> Row:
    """Return the JSON of a loaded instance."""
    return {
        "instance": instance.id,
        "context_length": instance.context_length,
        "seconds_left": instance.ttl_seconds,
    }


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
        **({"MACHINES": ", ".join(row["backends"])} if "backends" in row else {}),
    }


def _instance_cells(row: Row) -> dict[str, str]:
    return {
        "NAME": row["name"],
        "INSTANCE": row["instance"],
        "SIZE": size_text(row["size_bytes"]),
        "CONTEXT": text_of(row["context_length"]),
        "SECONDS LEFT": UNKNOWN if row["seconds_left"] is None else f"{row['seconds_left']:.0f}",
        **({"MACHINE": row["backend"]} if "backend" in row else {}),
    }


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _facts(entry: Entry) -> dict[str, str]:
    """Return the lines of ``show``; those of an alias or a profile come last and are left out if empty."""
    model = entry.model
    places = [
        f"{copy.id} with {copy.context_length} tokens" if copy.context_length else copy.id for copy in model.instances
    ]
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
        "loaded": "; ".join(places) or ("yes" if model.is_loaded else "no"),
    }
    of_alias = {
        "from": entry.parent or entry.base,
        "system": entry.system,
        "template": entry.template,
        "options": _pairs(entry.parameters),
        "loads with": _pairs(entry.load_settings),
        "thinking": "" if entry.profile.think is None else str(entry.profile.think).lower(),
        "keep alive": "" if entry.profile.keep_alive is None else f"{entry.profile.keep_alive:g} s",
        "messages": str(len(entry.messages) or ""),
    }
    return {name: text_of(fact) for name, fact in facts.items()} | {
        name: fact for name, fact in of_alias.items() if fact
    }

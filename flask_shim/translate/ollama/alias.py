"""Aliases: names that the user gives a model of LM Studio together with a system prompt, parameters or messages."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.ollama.listing import Entry, digest
from flask_shim.translate.ollama.names import Source, display, is_valid, normalize_name, qualified, split_source
from flask_shim.translate.ollama.requests import AliasSettings, CreateRequest, Message
from flask_shim.translate.ollama.showing import OWN_TEMPLATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(AliasSettings):
    """A name and its settings, which include those of the alias it was created from.

    ``name`` has its tag. ``base`` is LM Studio's key or variant, behind ``NAME/`` if it is that of one of several LM
    Studios. ``parent`` is the listed name in ``from``, empty for the copy of a model.
    """

    name: str
    base: str
    created_ns: int
    parent: str = ""

    @property
    def key(self) -> str:
        """The name in the form for comparisons."""
        return alias_key(self.name)

    def parts(self) -> list[bytes]:
        """Return the settings as the bytes that Ollama hashes as layers."""
        texts = [self.template, self.system, *self.license]
        json = [to_json(self.parameters), messages_to_json(self.messages)]
        return [text.encode() for text in texts if text] + [part + b"\n" for part in json if len(part) > len(b"{}")]


def alias_key(name: str) -> str:
    """Return one text for all spellings of a name: in any case, with or without the default parts."""
    return qualified(name).lower()


def is_alias_name(name: str) -> bool:
    """Return whether an alias may have that name; requests for ``:local`` and ``:cloud`` mean something else."""
    return is_valid(name) and split_source(name) == (name, Source.ANYWHERE)


def plain(model: Model, identifier: str, machine: str = "") -> Alias:
    """Return a model without settings, as the source of an alias; with ``machine``, that at the LM Studio of this name.

    A variant in ``identifier`` is kept, a loaded instance is not: it ends with the next unload.
    """
    key = identifier if identifier in model.variants else model.key
    base = f"{machine}/{key}" if machine else key
    return Alias(name=display(base), base=base, created_ns=0)


def base_of(base: str, models: Iterable[Model]) -> Model | None:
    """Return the model with that key or variant, the base of an alias; None when LM Studio no longer has it."""
    return next((model for model in models if base == model.key or base in model.variants), None)


def copied(source: Alias, destination: str, created_ns: int) -> Alias:
    """Return ``source`` under another name."""
    return dataclasses.replace(source, name=normalize_name(destination), created_ns=created_ns)


def created(request: CreateRequest, source: Alias, created_ns: int) -> Alias:
    """Return the alias for a request: its settings replace those of ``source``, except that licenses add up.

    Raises BadRequest for settings that cannot be stored as JSON.
    """
    given = {key: value for key, value in request.parameters.items() if value is not None}
    alias = Alias(
        name=normalize_name(request.model),
        base=source.base,
        created_ns=created_ns,
        # An alias that is created again from itself keeps its parent.
        parent=source.parent if alias_key(request.model) == source.key and source.parent else source.name,
        system=request.system or source.system,
        # A Modelfile of "ollama show --modelfile" contains the template that the shim made up.
        template="" if request.template.lstrip().startswith(OWN_TEMPLATE) else request.template or source.template,
        license=tuple(dict.fromkeys((*source.license, *request.license))),
        parameters={**source.parameters, **given},
        messages=request.messages or source.messages,
        config={**source.config, **request.config},
    )
    try:
        alias.parts()
    except TypeError as exc:
        raise BadRequest("parameters and messages cannot hold integers of more than 64 bits") from exc
    return alias


def to_entry(alias: Alias, model: Model) -> Entry:
    """Return the alias as an entry of the list; ``model`` is its base as LM Studio reports it now."""
    if alias.template:
        # The shim applies the template and sends plain text, which has no place for tools and images.
        model = dataclasses.replace(model, tools=Support.NO, vision=Support.NO)
    return Entry(
        name=alias.name,
        model=model,
        modified_ns=alias.created_ns,
        base=alias.base,
        parent=alias.parent,
        **{field.name: getattr(alias, field.name) for field in dataclasses.fields(AliasSettings)},
    )


def progress(alias: Alias, model: Model, others: Iterable[Alias]) -> Iterator[str]:
    """Yield Ollama's texts for the creation of a model; a layer exists if one of the ``others`` has the same part."""
    existing = {part for other in others for part in other.parts()}
    yield f"using existing layer sha256:{digest(to_entry(plain(model, model.key), model))}"
    for part in alias.parts():
        verb = "using existing" if part in existing else "creating new"
        yield f"{verb} layer sha256:{hashlib.sha256(part).hexdigest()}"
    yield "writing manifest"
    yield "success"


def to_json(parameters: Mapping[str, Any]) -> bytes:
    """Return parameters as JSON, with sorted keys as in Ollama."""
    return orjson.dumps(dict(parameters), option=orjson.OPT_SORT_KEYS)


def messages_to_json(messages: Collection[Message]) -> bytes:
    """Return messages as JSON, in the form in which clients send them."""
    return orjson.dumps([_turn(message) for message in messages])


def _turn(message: Message) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "thinking": message.thinking,
        "images": list(message.images),
        "tool_calls": [
            {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in message.tool_calls
        ],
        "tool_name": message.tool_name,
        "tool_call_id": message.tool_call_id,
    }
    said = {key: value for key, value in optional.items() if value}
    return {"role": message.role, "content": message.content, **said}

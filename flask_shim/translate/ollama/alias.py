"""Names of the user's own: a model of LM Studio with a system prompt, parameters or turns that go before."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.ollama.listing import OWN_TEMPLATE, Entry, digest
from flask_shim.translate.ollama.names import Source, display, is_valid, normalize_name, qualified, split_source
from flask_shim.translate.ollama.requests import CreateRequest, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name and what comes with it; the parts of what it was made from are in it already.

    ``name`` has its tag. ``base`` is what LM Studio calls its model: a key, or one of its variants. ``parent`` is the
    listed name in ``from``, empty for the copy of a model. ``created_ns`` counts from 1970.
    """

    name: str
    base: str
    created_ns: int
    parent: str = ""
    system: str = ""
    template: str = ""
    license: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()

    @property
    def key(self) -> str:
        """The name as it is compared."""
        return alias_key(self.name)

    def parts(self) -> list[bytes]:
        """Return what the alias holds, in the bytes that Ollama would hash as the layers of a model."""
        texts = [self.template, self.system, *self.license]
        json = [to_json(self.parameters), messages_to_json(self.messages)]
        return [text.encode() for text in texts if text] + [part + b"\n" for part in json if len(part) > len(b"{}")]


def alias_key(name: str) -> str:
    """Return the same text for all spellings of a name: in any case, with or without the defaults of its parts."""
    return qualified(name).lower()


def is_alias_name(name: str) -> bool:
    """Tell whether an alias may have that name; ``:local`` and ``:cloud`` at its end would never be asked for."""
    return is_valid(name) and split_source(name) == (name, Source.ANYWHERE)


def plain(model: Model, identifier: str) -> Alias:
    """Return what LM Studio's model is as the source of an alias: itself, with nothing added.

    Of an ``identifier`` only a variant is kept; a loaded copy is gone with the next unload.
    """
    base = identifier if identifier in model.variants else model.key
    return Alias(name=display(base), base=base, created_ns=0)


def base_of(alias: Alias, models: Iterable[Model]) -> Model | None:
    """Return the model that an alias stands for, None when LM Studio no longer has it."""
    return next((model for model in models if alias.base == model.key or alias.base in model.variants), None)


def copied(source: Alias, destination: str, created_ns: int) -> Alias:
    """Return ``source`` under another name."""
    return dataclasses.replace(source, name=normalize_name(destination), created_ns=created_ns)


def created(request: CreateRequest, source: Alias, created_ns: int) -> Alias:
    """Return the alias that the ask describes: what it names replaces what ``source`` has, licenses add up.

    BadRequest if a part cannot be kept.
    """
    given = {key: value for key, value in request.parameters.items() if value is not None}
    alias = Alias(
        name=normalize_name(request.model),
        base=source.base,
        created_ns=created_ns,
        # An alias that is re-created from itself keeps its origin.
        parent=source.parent if alias_key(request.model) == source.key and source.parent else source.name,
        system=request.system or source.system,
        template=_template(request.template, source),
        license=tuple(dict.fromkeys((*source.license, *request.license))),
        parameters={**source.parameters, **given},
        messages=request.messages or source.messages,
    )
    _check_numbers(alias)
    return alias


def _template(template: str, source: Alias) -> str:
    # A Modelfile written by "ollama show --modelfile" brings the template that stands for LM Studio's own.
    return "" if template.lstrip().startswith(OWN_TEMPLATE) else template or source.template


def _check_numbers(alias: Alias) -> None:
    try:
        alias.parts()
    except TypeError as exc:
        raise BadRequest("parameters and messages cannot hold integers of more than 64 bits") from exc


def to_entry(alias: Alias, model: Model) -> Entry:
    """Return the alias as it stands in the lists; ``model`` is its base as LM Studio has it now."""
    if alias.template:
        # Its prompts are filled in here and sent as plain text, where tools and pictures have no place.
        model = dataclasses.replace(model, tools=Support.NO, vision=Support.NO)
    return Entry(
        name=alias.name,
        model=model,
        modified_ns=alias.created_ns,
        base=alias.base,
        parent=alias.parent,
        system=alias.system,
        template=alias.template,
        license="\n".join(alias.license),
        parameters=alias.parameters,
        messages=alias.messages,
    )


def complete_models(data: bytes, items: Iterable[Mapping[str, Any]], own: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the bytes of OpenAI's model list with ``items`` at its end; a name that it has already is not repeated.

    LM Studio's rows lack ``created``, which clients require (JetBrains/koog#139); they get that of the same row of
    ``own``. Other data is returned unchanged.
    """
    try:
        body = orjson.loads(data)
        created = {item["id"]: item["created"] for item in own}
        models = [{"created": created.get(model["id"], 0), **model} for model in body["data"]]
        listed = {alias_key(display(str(model["id"]))) for model in models}
    except (ValueError, TypeError, KeyError):
        return data
    return orjson.dumps({**body, "data": [*models, *(item for item in items if alias_key(item["id"]) not in listed)]})


def progress(alias: Alias, model: Model, others: Iterable[Alias]) -> Iterator[str]:
    """Yield what Ollama tells while it makes a model; a layer exists if one of the ``others`` has the same part."""
    kept = {_sha256(part) for other in others for part in other.parts()}
    yield _layer(digest(to_entry(plain(model, model.key), model)), exists=True)
    for part in alias.parts():
        yield _layer(_sha256(part), exists=_sha256(part) in kept)
    yield "writing manifest"
    yield "success"


def _layer(hexdigest: str, *, exists: bool) -> str:
    return f"{'using existing' if exists else 'creating new'} layer sha256:{hexdigest}"


def _sha256(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()


def to_json(parameters: Mapping[str, Any]) -> bytes:
    """Return parameters as JSON, with the keys in Ollama's order."""
    return orjson.dumps(dict(parameters), option=orjson.OPT_SORT_KEYS)


def messages_to_json(messages: Collection[Message]) -> bytes:
    """Return turns as JSON, in the form in which clients send them."""
    return orjson.dumps([_turn(message) for message in messages])


def _turn(message: Message) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "thinking": message.thinking,
        "images": [base64.b64encode(image).decode() for image in message.images],
        "tool_calls": [
            {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in message.tool_calls
        ],
        "tool_name": message.tool_name,
        "tool_call_id": message.tool_call_id,
    }
    said = {key: value for key, value in optional.items() if value}
    return {"role": message.role, "content": message.content, **said}

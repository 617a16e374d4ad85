"""Model names: Ollama's grammar and written forms, extended for LM Studio's keys, and the one model that each means.

A name is ``host/namespace/model:tag``; only the model is required. LM Studio's keys look alike (``qwen/qwen3-8b``), but
have ``key@variant`` for a quantization and ``key:2`` for a second loaded instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.quoting import go_quote

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

MAX_LENGTH = 350
MAX_COLONS = 4

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,79}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a name; missing ones are Ollama's defaults."""

    host: str
    namespace: str
    model: str
    tag: str

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def prefix(self) -> str:
        """What precedes the model, without default host and namespace."""
        if self.host.lower() != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/"
        return "" if self.namespace.lower() == DEFAULT_NAMESPACE else f"{self.namespace}/"


def parse(name: str) -> Name | None:
    """Return the parts of a name; None when its syntax is wrong."""
    found = _split(name)
    parts = ((_HOST, found.host), (_NAMESPACE, found.namespace), (_MODEL, found.model), (_TAG, found.tag))
    return found if all(pattern.fullmatch(part) for pattern, part in parts) else None


def is_valid(name: str) -> bool:
    """Return whether ``name`` could be a model's; for others Ollama reports "invalid model name"."""
    return validate_model_name(name)[0]


def validate_model_name(name: str) -> tuple[bool, str | None]:
    """Return whether ``name`` could be a model's, and what is wrong with it otherwise."""
    fault = next((text for is_wrong, text in _FAULTS if is_wrong(name)), None)
    return fault is None, fault


_FAULTS: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda name: not name, "the model name is empty"),
    (lambda name: len(name) > MAX_LENGTH, f"the model name is longer than {MAX_LENGTH} characters"),
    (re.compile(r"[\x00-\x1f\x7f-\x9f]").search, "the model name holds control characters"),
    (re.compile(r"\s").search, "the model name holds white space"),
    (lambda name: "::" in name, "the model name holds a double colon"),
    (lambda name: name.startswith(":") or name.endswith(":"), "the model name starts or ends with a colon"),
    (lambda name: name.count(":") > MAX_COLONS, f"the model name holds more than {MAX_COLONS} colons"),
    (lambda name: parse(name) is None, "the model name is not of the form host/namespace/model:tag"),
)


def display(key: str) -> str:
    """Return a key of LM Studio as lists show it: always with a tag, for which a variant is used."""
    if _has_tag(key):
        return key
    head, slash, last = key.rpartition("/")
    base, at, variant = last.rpartition("@")
    return f"{head}{slash}{base}:{variant}" if at and base and variant else f"{key}:{DEFAULT_TAG}"


def qualified(name: str) -> str:
    """Return the full name, as in capability errors: ``registry.ollama.ai/library/plain:latest``."""
    return str(_split(name))


def normalize_name(name: str) -> str:
    """Return the name as in the 404 of ``/api/show``: ``nope`` as ``nope:latest``."""
    parts = _split(name)
    return f"{parts.prefix}{parts.model}:{parts.tag}"


class Source(Enum):
    """Where a name says that the model runs."""

    ANYWHERE = ""
    LOCAL = "local"
    CLOUD = "cloud"


def split_source(name: str) -> tuple[str, Source]:
    """Return the trimmed name without its ``:local``, ``:cloud`` or ``-cloud``, and the source that it names.

    Raises BadRequest for two of them.
    """
    name = name.strip()
    base, source = _cut_source(name)
    if source is not Source.ANYWHERE and _cut_source(base)[1] is not Source.ANYWHERE:
        raise BadRequest(f"use either :local or :cloud, not both: {go_quote(name)}")
    return base, source


def _cut_source(name: str) -> tuple[str, Source]:
    base, colon, tag = name.rpartition(":")
    tag = tag.strip()
    if not colon or "/" in tag:
        return name, Source.ANYWHERE
    if tag.lower() in {Source.LOCAL.value, Source.CLOUD.value}:
        return base, Source(tag.lower())
    if tag.lower().endswith("-cloud"):
        return f"{base}:{tag[: -len('-cloud')]}", Source.CLOUD
    return name, Source.ANYWHERE


def _has_tag(name: str) -> bool:
    return name.rfind(":") > name.rfind("/")


def _split(name: str) -> Name:
    tag = DEFAULT_TAG
    if _has_tag(name):
        name, _, tag = name.rpartition(":")
    parts = name.rsplit("/", 2)
    host, namespace, model = [*(DEFAULT_HOST, DEFAULT_NAMESPACE)[: 3 - len(parts)], *parts]
    _, scheme, behind = host.partition("://")
    return Name(behind if scheme else host, namespace, model, tag)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A model and its identifier for LM Studio: its key, one of its variants or a loaded instance."""

    model: Model
    identifier: str


def find_model(name: str, models: Sequence[Model]) -> NameMatch | None:
    """Return the model and the identifier that ``name`` means.

    Exact spellings come first, then those in another case, then those without their publisher. Within each, keys come
    before loaded instances and variants. A spelling that fits several models fits none.
    """
    spellings = [
        [(model.key, NameMatch(model, model.key)) for model in models],
        [(display(model.key), NameMatch(model, model.key)) for model in models],
        [(copy.id, NameMatch(model, copy.id)) for model in models for copy in model.instances],
        [
            (text, NameMatch(model, variant))
            for model in models
            for variant in model.variants
            for text in (variant, display(variant))
        ],
    ]
    for matches in _matches(name, spellings):
        if matches:
            return matches[0] if len({found.model.key for found in matches}) == 1 else None
    return None


_Spelling = tuple[str, NameMatch]
"""A way to write a model's name, and what it means."""


def _matches(name: str, spellings: Sequence[Sequence[_Spelling]]) -> Iterator[list[NameMatch]]:
    forms = list(filter(None, _forms(name)))
    for is_same in _COMPARISONS:
        for form in forms:
            for rank in spellings:
                yield [found for text, found in rank if is_same(text, form)]


_COMPARISONS: tuple[Callable[[str, str], bool], ...] = (
    lambda text, form: text == form,
    lambda text, form: text.lower() == form.lower(),
    lambda text, form: text.partition("/")[2].lower() == form.lower(),
)


def _forms(name: str) -> Iterator[str]:
    """Yield the forms that are one name for Ollama: with and without the default parts."""
    bare = _remove_prefixes(name, "https://", "http://", f"{DEFAULT_HOST}/")
    unqualified = _remove_prefixes(bare, f"{DEFAULT_NAMESPACE}/")
    for text in dict.fromkeys((name, bare if "/" in unqualified else unqualified)):
        yield text
        base, _, tag = text.rpartition(":")
        if tag.lower() == DEFAULT_TAG:
            yield base
        elif display(text) == f"{text}:{DEFAULT_TAG}":
            yield display(text)


def _remove_prefixes(name: str, *prefixes: str) -> str:
    for prefix in prefixes:
        name = name[len(prefix) :] if name.lower().startswith(prefix) else name
    return name

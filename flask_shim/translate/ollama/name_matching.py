"""From the name a client wrote to the one model it means, or to none: never to a similar one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.names import DEFAULT_HOST, DEFAULT_NAMESPACE, DEFAULT_TAG, display


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The model, and what to call it towards LM Studio: its key, one of its variants or a loaded copy."""

    model: Model
    identifier: str


def find_model(name: str, models: Sequence[Model]) -> NameMatch | None:
    """Return the model that ``name`` means and the identifier that was meant.

    Exact spellings come first, then those in another case, then those without their publisher. Within each,
    keys come before loaded copies and variants. A spelling that fits several models fits none.
    """
    spellings = [[spelling for model in models for spelling in rank(model)] for rank in _RANKS]
    for matches in _matches(name, spellings):
        if matches:
            return matches[0] if len({found.model.key for found in matches}) == 1 else None
    return None


_Spelling = tuple[str, NameMatch]
"""One way to write a model's name, and what it means."""


def _keys(model: Model) -> list[_Spelling]:
    return [(model.key, NameMatch(model, model.key))]


def _listings(model: Model) -> list[_Spelling]:
    return [(display(model.key), NameMatch(model, model.key))]


def _copies(model: Model) -> list[_Spelling]:
    return [(copy.id, NameMatch(model, copy.id)) for copy in model.instances]


def _variants(model: Model) -> list[_Spelling]:
    return [(text, NameMatch(model, variant)) for variant in model.variants for text in (variant, display(variant))]


_RANKS: tuple[Callable[[Model], list[_Spelling]], ...] = (_keys, _listings, _copies, _variants)


def _matches(name: str, spellings: Sequence[Sequence[_Spelling]]) -> Iterator[list[NameMatch]]:
    forms = list(filter(None, _forms(name)))
    for is_same in (_exactly, _in_any_case, _behind_publisher):
        for form in forms:
            for rank in spellings:
                yield [found for text, found in rank if is_same(text, form)]


def _exactly(text: str, form: str) -> bool:
    return text == form


def _in_any_case(text: str, form: str) -> bool:
    return text.lower() == form.lower()


def _behind_publisher(text: str, form: str) -> bool:
    return text.partition("/")[2].lower() == form.lower()


def _forms(name: str) -> Iterator[str]:
    """Yield what Ollama takes for the same name: with and without the defaults of its parts."""
    for text in dict.fromkeys((name, _without_defaults(name))):
        yield text
        base, _, tag = text.rpartition(":")
        if tag.lower() == DEFAULT_TAG:
            yield base
        elif display(text) == f"{text}:{DEFAULT_TAG}":
            yield display(text)


def _without_defaults(name: str) -> str:
    for scheme in ("https://", "http://"):
        name = _without_prefix(name, scheme)
    name = _without_prefix(name, f"{DEFAULT_HOST}/")
    bare = _without_prefix(name, f"{DEFAULT_NAMESPACE}/")
    return name if "/" in bare else bare


def _without_prefix(name: str, prefix: str) -> str:
    return name[len(prefix) :] if name.lower().startswith(prefix) else name

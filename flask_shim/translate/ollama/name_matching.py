"""Find the one model that a client's name means, never a similar one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.names import DEFAULT_HOST, DEFAULT_NAMESPACE, DEFAULT_TAG, display


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

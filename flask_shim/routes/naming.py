"""How routes resolve the names of models: with the same rules, and each with the error texts of Ollama's route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from flask_shim.errors import BadRequest, Forbidden
from flask_shim.lmstudio.errors import ModelNotFound
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.waking import never_seen
from flask_shim.services import services
from flask_shim.translate.ollama.names import MAX_LENGTH, Source, display, is_valid, normalize_name, split_source
from flask_shim.translate.ollama.quoting import go_quote


@dataclass(frozen=True, slots=True)
class Naming:
    """How one route resolves names: the rules are the same everywhere, the error texts are those of Ollama's route."""

    not_found: Callable[[str], str] = "model '{}' not found".format
    """Returns the text for an unknown name."""
    empty_is_missing: bool = False
    """Whether an empty name is a model that was not found."""
    remote: str = "remote model is unavailable"
    """The text for models at ollama.com."""
    wakes: bool = True
    """Whether a machine that may have the model is woken to find out."""

    def resolve(self, name: str) -> ResolvedModel:
        """Return the model of a client's name; an unknown name raises before anything is sent to the backend."""
        target = _find(self.check(name), may_wake=self.wakes)
        if target is None:
            raise ModelNotFound(self.not_found(name.strip()))
        return target

    def check(self, name: str) -> str:
        """Return the name without its ``:local``; raise if no model can have it."""
        parse = _parse if len(name) <= MAX_LENGTH else _parse.__wrapped__
        plain, source, is_sound = parse(name)
        if not plain:
            raise ModelNotFound("model '' not found") if self.empty_is_missing else BadRequest("model is required")
        if source is Source.CLOUD:
            raise Forbidden(f"ollama cloud is disabled: {self.remote}")
        if not is_sound:
            _, model = services().backends.split_name(plain)
            if not is_valid(model) and not _is_listed(model):
                raise BadRequest("invalid model name")
        return plain


@lru_cache(maxsize=512)
def _parse(name: str) -> tuple[str, Source, bool]:
    """Return the name without ``:local``, where it says that the model runs, and whether Ollama's grammar allows it."""
    plain, source = split_source(name)
    return plain, source, is_valid(plain)


def _try_pulling(name: str) -> str:
    return f"model {go_quote(name)} not found, try pulling it first"


CHAT_NAMING = Naming()
GENERATE_NAMING = Naming(empty_is_missing=True)
SHOW_NAMING = Naming(
    lambda name: f"model '{normalize_name(name)}' not found", remote="remote model details are unavailable", wakes=False
)
EMBED_NAMING = Naming(_try_pulling, empty_is_missing=True)
EMBEDDINGS_NAMING = Naming(_try_pulling)


def _find(name: str, *, may_wake: bool) -> ResolvedModel | None:
    registry, backends = services().registry, services().backends
    can_wake = may_wake and any(backend.waker for backend in backends)
    if not (can_wake and never_seen(backends, name)):
        return registry.find(name)
    with services().manager.admit() as call:
        return registry.find_or_wake(name, call)


def _is_listed(name: str) -> bool:
    """Return whether LM Studio or our lists write a name so that Ollama's grammar forbids."""
    target = services().registry.find(name)
    if target is None:
        return False
    listed = (text for identifier in target.model.identifiers for text in (identifier, display(identifier)))
    return name.lower() in {form.lower() for text in listed for form in (text, text.partition("/")[2])}

"""Checks and resolves model names: the same rules on every route, with the error texts of Ollama's route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask_shim.errors import BadRequest, Forbidden, ShimError
from flask_shim.lmstudio.errors import ModelNotFound
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import services
from flask_shim.translate.ollama.names import Source, display, is_valid, normalize_name, split_source
from flask_shim.translate.ollama.quoting import go_quote


def _single(name: str) -> str:
    return f"model '{name}' not found"


def _double(name: str) -> str:
    return f"model {go_quote(name)} not found, try pulling it first"


def _tagged(name: str) -> str:
    return f"model '{normalize_name(name)}' not found"


@dataclass(frozen=True, slots=True)
class Naming:
    """The error texts of one route. With ``empty_is_missing``, an empty name is a model that was not found.

    ``not_found`` returns the text for an unknown name; ``remote`` is the text for models at ollama.com.
    """

    empty_is_missing: bool = False
    not_found: Callable[[str], str] = _single
    remote: str = "remote model is unavailable"

    def missing(self, name: str) -> ModelNotFound:
        """Return the error for an unknown name."""
        return ModelNotFound(self.not_found(name))

    def empty(self) -> ShimError:
        """Return the error for an empty name."""
        return ModelNotFound(_single("")) if self.empty_is_missing else BadRequest("model is required")


CHAT = Naming()
GENERATE = Naming(empty_is_missing=True)
SHOW = Naming(not_found=_tagged, remote="remote model details are unavailable")
EMBED = Naming(empty_is_missing=True, not_found=_double)
EMBEDDINGS = Naming(not_found=_double)


def resolve(name: str, naming: Naming) -> ResolvedModel:
    """Return the model of a client's name; an unknown name raises before anything is sent to the backend."""
    target = services().registry.find(checked(name, naming))
    if target is None:
        raise naming.missing(name.strip())
    return target


def checked(name: str, naming: Naming) -> str:
    """Return the name without its ``:local``; raise if no model can have it."""
    plain, source = split_source(name)
    if not plain:
        raise naming.empty()
    if source is Source.CLOUD:
        raise Forbidden(f"ollama cloud is disabled: {naming.remote}")
    if not is_valid(plain) and not _is_listed(plain):
        raise BadRequest("invalid model name")
    return plain


def _is_listed(name: str) -> bool:
    """Tell whether a name that Ollama's grammar forbids is written as LM Studio or our lists write it."""
    target = services().registry.find(name)
    if target is None:
        return False
    listed = (text for identifier in target.model.identifiers for text in (identifier, display(identifier)))
    return name.lower() in {form.lower() for text in listed for form in (text, text.partition("/")[2])}

"""Pulling a model: LM Studio's download for an Ollama name, and the lines that report its progress."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.names import DEFAULT_NAMESPACE, DEFAULT_TAG, parse

HUGGING_FACE = "https://huggingface.co/"

_HUGGING_FACE_HOSTS = ("hf.co", "huggingface.co", "www.huggingface.co")
_FORMATS = ("", "-gguf", "-mlx")
"""Endings of repositories that LM Studio's keys lack."""

_KINDS = ("", "text-embedding-")
"""Prefixes of LM Studio's keys."""

Step = dict[str, Any]

BEGIN: Step = {"status": "pulling manifest"}
END: tuple[Step, ...] = (
    {"status": "verifying sha256 digest"},
    {"status": "writing manifest"},
    {"status": "success"},
)


@dataclass(frozen=True, slots=True)
class PullTarget:
    """A download for LM Studio. ``quantization`` is only for URLs of Hugging Face."""

    model: str
    quantization: str | None = None

    @property
    def digest(self) -> str:
        """64 hex digits for the progress: LM Studio reports none, but clients show one bar for each digest."""
        return hashlib.sha256(f"{self.model}@{self.quantization or ''}".lower().encode()).hexdigest()


def to_pull_target(name: str) -> PullTarget:
    """Return the download for a name; raise BadRequest for an invalid one.

    =================================  ========================================
    hf.co/user/repo:Q4_K_M             the repository and the quantization
    publisher/name, publisher/name:8b  publisher/name, publisher/name@8b
    llama3.2, llama3.2:1b              the name itself, which LM Studio may know
    =================================  ========================================

    ``:latest`` stands for no tag.
    """
    parts = parse(name)
    if parts is None:
        raise BadRequest("invalid model name")
    tag = None if parts.tag.lower() == DEFAULT_TAG else parts.tag
    if parts.host.lower() in _HUGGING_FACE_HOSTS:
        return PullTarget(f"{HUGGING_FACE}{parts.namespace}/{parts.model}", tag)
    mark = ":" if parts.namespace.lower() == DEFAULT_NAMESPACE else "@"
    return PullTarget(f"{parts.prefix}{parts.model}{mark}{tag}" if tag else f"{parts.prefix}{parts.model}")


def pulling(digest: str, total: int | None, done: int | None) -> Step:
    """Return the line for the one file of the download; values that are 0 or unknown are left out."""
    step: Step = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}"}
    if total:
        step["total"] = total
    if done:
        step["completed"] = done
    return step


def pulled_model(wanted: PullTarget, models: Iterable[Model]) -> Model | None:
    """Return the model that a download of ``wanted`` has added; None unless exactly one fits.

    LM Studio chooses the keys of downloads, so publisher, name and quantization must all fit.
    """
    found = [model for model in models if model.key.lower() in _keys(wanted, model)]
    return found[0] if len(found) == 1 else None


def _keys(wanted: PullTarget, model: Model) -> Iterator[str]:
    """Yield the keys that ``model`` may have if it is the wanted one, in lower case."""
    publisher, _, name = wanted.model.removeprefix(HUGGING_FACE).lower().rpartition("/")
    name, _, variant = name.partition("@")
    variant = (wanted.quantization or variant).lower()
    variants = {text.lower().rpartition("@")[2] for text in model.variants} | {(model.quantization or "").lower()}
    if not publisher or (variant and variant not in variants):
        return
    yield f"{publisher}/{name}"
    if (model.publisher or "").lower() != publisher:
        return
    for suffix in _FORMATS:
        for kind in _KINDS:
            base = f"{kind}{name.removesuffix(suffix)}"
            yield from (base, f"{publisher}/{base}")
            if variant:
                yield from (f"{place}{base}{mark}{variant}" for place in ("", f"{publisher}/") for mark in "-@")

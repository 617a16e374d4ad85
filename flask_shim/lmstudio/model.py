"""What the backend says about one model, the same for all three generations of its API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a model is for."""

    LLM = "llm"
    EMBEDDING = "embedding"


class Support(Enum):
    """Whether a model can do something: old backends do not say."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, claim: bool | None) -> Support:
        """Read a claim that may be missing."""
        if claim is None:
            return cls.UNKNOWN
        return cls.YES if claim else cls.NO


@dataclass(frozen=True, slots=True)
class Instance:
    """One loaded copy of a model. ``context_length`` is in tokens, None where the backend does not say."""

    id: str
    context_length: int | None = None
    ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model on the backend's disk. Sizes are bytes, lengths tokens; None and UNKNOWN mean "not told"."""

    key: str
    kind: Kind = Kind.LLM
    publisher: str | None = None
    display_name: str | None = None
    architecture: str | None = None
    format: str | None = None
    quantization: str | None = None
    size_bytes: int | None = None
    parameters: str | None = None
    max_context_length: int | None = None
    vision: Support = Support.UNKNOWN
    tools: Support = Support.UNKNOWN
    reasoning: Support = Support.UNKNOWN
    reasoning_default: str | None = None
    variants: tuple[str, ...] = ()
    selected_variant: str | None = None
    instances: tuple[Instance, ...] = ()
    is_loaded: bool = False

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Everything that LM Studio takes for this model: its key, its variants, its loaded copies."""
        return (self.key, *self.variants, *(instance.id for instance in self.instances))

    @property
    def loaded_context_length(self) -> int | None:
        """The context of the first loaded instance, which is the one that answers to ``key``."""
        return self.instances[0].context_length if self.instances else None

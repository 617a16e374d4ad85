"""One model as the backend lists it, the same for all three API versions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a model is for."""

    LLM = "llm"
    EMBEDDING = "embedding"
    DECISION = "decision"
    """Answers fixed questions with probabilities and writes no text."""


class Support(Enum):
    """Whether a model can do something; old backends do not say."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, claim: object) -> Support:
        """Read a claim, which is unknown unless it is True or False."""
        if claim is True:
            return cls.YES
        return cls.NO if claim is False else cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Instance:
    """One loaded copy of a model. ``context_length`` is None if the backend does not say."""

    id: str
    context_length: int | None = None
    ttl_seconds: float | None = None
    parallel: int | None = None
    """How many requests it answers at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model on the backend's disk. Values that the backend does not report are None or UNKNOWN."""

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
    reasoning_options: tuple[str, ...] = ()
    reasoning_default: str | None = None
    variants: tuple[str, ...] = ()
    selected_variant: str | None = None
    instances: tuple[Instance, ...] = ()

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory; False also if the backend does not report that."""
        return bool(self.instances)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """All names of this model in LM Studio: its key, its variants and its loaded copies."""
        return (self.key, *self.variants, *(instance.id for instance in self.instances))

    @property
    def loaded_context_length(self) -> int | None:
        """The context of the first loaded instance, which LM Studio uses for requests to ``key``."""
        return self.instances[0].context_length if self.instances else None

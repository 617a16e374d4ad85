"""What typed clients decode: one wrong field, and they show no models at all.

Each class has the fields that a client requires, with its types; msgspec rejects whatever does not match.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Natural = Annotated[int, Meta(ge=0)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Timestamp = Annotated[datetime, Meta(tz=True)]
Digest = Annotated[str, Meta(min_length=12)]
"""The ollama command line shows the first twelve characters without checking the length."""


class GoDetails(Struct, forbid_unknown_fields=True):
    """Details of a model in the Go package."""

    parent_model: str
    format: str
    family: str
    families: list[str] | None
    parameter_size: str
    quantization_level: str
    context_length: Int64 = 0
    embedding_length: Int64 = 0


class GoTag(Struct, forbid_unknown_fields=True):
    """A model in the list."""

    name: str
    model: str
    modified_at: Timestamp
    size: Int64
    digest: Digest
    details: GoDetails
    capabilities: list[str] = []


class GoTags(Struct):
    """The list."""

    models: list[GoTag]


class GoRunning(Struct, forbid_unknown_fields=True):
    """A loaded model."""

    name: str
    model: str
    size: Int64
    digest: Digest
    details: GoDetails
    expires_at: Timestamp
    size_vram: Int64
    context_length: Int64


class GoPs(Struct):
    """The loaded models."""

    models: list[GoRunning]


class GoShown(Struct):
    """One model."""

    details: GoDetails
    model_info: dict[str, Any]
    capabilities: list[str]
    modified_at: Timestamp
    modelfile: str
    template: str
    parameters: str = ""
    system: str = ""
    license: str = ""


class GoFunction(Struct, forbid_unknown_fields=True):
    """The function of a call, with its arguments."""

    index: int
    name: str
    arguments: dict[str, Any]


class GoCall(Struct, forbid_unknown_fields=True):
    """A call of a tool."""

    function: GoFunction
    id: str = ""


class GoMessage(Struct, forbid_unknown_fields=True):
    """A message of an answer."""

    role: str
    content: str
    thinking: str = ""
    tool_calls: list[GoCall] = []


class GoChat(Struct, forbid_unknown_fields=True):
    """A line of a chat."""

    model: str
    created_at: Timestamp
    message: GoMessage
    done: bool
    done_reason: str = ""
    total_duration: Int64 = 0
    load_duration: Int64 = 0
    prompt_eval_count: Int64 = 0
    prompt_eval_cached_count: Int64 | None = None
    prompt_eval_duration: Int64 = 0
    eval_count: Int64 = 0
    eval_duration: Int64 = 0


class ZedDetails(Struct):
    """Details in Zed."""

    format: str
    family: str
    families: list[str] | None
    parameter_size: str
    quantization_level: str


class ZedTag(Struct):
    """A model in Zed."""

    name: str
    modified_at: str
    size: Natural
    digest: str
    details: ZedDetails


class ZedTags(Struct):
    """The list in Zed."""

    models: list[ZedTag]


class RooDetails(Struct):
    """Details in Roo Code; those of a list need no more."""

    family: str
    parameter_size: str
    families: list[str] | None


class RooTag(Struct):
    """A model in Roo Code."""

    name: str
    model: str
    details: RooDetails


class RooTags(Struct):
    """The list in Roo Code."""

    models: list[RooTag]


class RooShown(Struct):
    """One model in Roo Code."""

    details: RooDetails
    model_info: dict[str, str | int | float | bool | None]
    capabilities: list[str] = []


def decode(raw: bytes, kind: type[Any]) -> Any:
    """Decode as the client would: no number for a text, no float for an integer."""
    return msgspec.json.decode(raw, type=kind, strict=True)

"""The three generations of the backend's model lists, read into the same values.

========  ==================  =======================================================================
V1        ``/api/v1/models``  LM Studio 0.4 and later: complete
V0        ``/api/v0/models``  LM Studio 0.3.6 and later: no sizes, no thinking
OPENAI    ``/v1/models``      older ones and any other OpenAI-compatible server: names only
========  ==================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from flask_shim.lmstudio.model import Instance, Kind, Model, Support

EMBEDDING_PREFIX = "text-embedding-"
"""LM Studio puts this before the keys of embedding models; old generations tell the kind in no other way."""


class ApiVersion(Enum):
    """Which API the backend has; the value is the path of its model list."""

    V1 = "/api/v1/models"
    V0 = "/api/v0/models"
    OPENAI = "/v1/models"

    @property
    def title(self) -> str:
        """Which programs have that API, in the middle of a sentence."""
        return _TITLES[self]

    @property
    def reports_state(self) -> bool:
        """Whether the list says which models are loaded."""
        return self is not ApiVersion.OPENAI


_TITLES = {
    ApiVersion.V1: "LM Studio 0.4 or later",
    ApiVersion.V0: "LM Studio 0.3",
    ApiVersion.OPENAI: "an OpenAI-compatible server",
}


def is_list(generation: ApiVersion, value: Any) -> bool:
    """Tell by the body whether ``value`` is that generation's model list: LM Studio's status codes do not tell."""
    if not isinstance(value, Mapping):
        return False
    rows = value.get("models" if generation is ApiVersion.V1 else "data")
    if not isinstance(rows, list):
        return False
    if generation is ApiVersion.V0:
        return all(isinstance(row, Mapping) and ("state" in row or "type" in row) for row in rows)
    return True


def read_list(generation: ApiVersion, value: Mapping[str, Any]) -> tuple[Model, ...]:
    """Return the models of a list, in its order, entries without a name left out and doubled names once."""
    read = _READ[generation]
    rows = value["models" if generation is ApiVersion.V1 else "data"]
    models: dict[str, Model] = {}
    for row in rows:
        key = row.get("key" if generation is ApiVersion.V1 else "id") if isinstance(row, Mapping) else None
        if isinstance(key, str) and key:
            models.setdefault(key, read(key, row))
    return _with_reasoning(tuple(models.values()))


def _with_reasoning(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Return the models with "does not think" where that is certain: early 0.4 builds tell of no model that it does."""
    if not any(model.reasoning is Support.YES for model in models):
        return models
    return tuple(
        replace(model, reasoning=Support.NO) if model.reasoning is Support.UNKNOWN else model for model in models
    )


def _read_v1(key: str, row: Mapping[str, Any]) -> Model:
    kind = _kind(key, row.get("type"))
    can = _mapping(row.get("capabilities"))
    reasoning = _mapping(can.get("reasoning"))
    instances = tuple(_instance(item) for item in _list(row.get("loaded_instances")) if isinstance(item, Mapping))
    return Model(
        key=key,
        kind=kind,
        publisher=_str(row.get("publisher")),
        display_name=_str(row.get("display_name")),
        architecture=_str(row.get("architecture")),
        format=_str(row.get("format")),
        quantization=_quantization(row.get("quantization")),
        size_bytes=whole_number(row.get("size_bytes")),
        parameters=_str(row.get("params_string")),
        max_context_length=whole_number(row.get("max_context_length")),
        vision=Support.of(_bool(can.get("vision"))),
        tools=Support.of(_bool(can.get("trained_for_tool_use"))),
        reasoning=Support.YES if reasoning else Support.UNKNOWN,
        reasoning_default=_str(reasoning.get("default")),
        variants=_strings(row.get("variants")),
        selected_variant=_str(row.get("selected_variant")),
        instances=instances,
        is_loaded=bool(instances),
    )


def _read_v0(key: str, row: Mapping[str, Any]) -> Model:
    kind = _kind(key, row.get("type"))
    can = row.get("capabilities")
    is_loaded = row.get("state") == "loaded"
    return Model(
        key=key,
        kind=kind,
        publisher=_str(row.get("publisher")),
        architecture=_str(row.get("arch")),
        format=_str(row.get("compatibility_type")),
        quantization=_str(row.get("quantization")),
        max_context_length=whole_number(row.get("max_context_length")),
        vision=Support.of(row["type"] == "vlm" if row.get("type") in ("llm", "vlm") else None),
        tools=Support.of("tool_use" in can if isinstance(can, list) else None),
        instances=(Instance(key, whole_number(row.get("loaded_context_length"))),) if is_loaded else (),
        is_loaded=is_loaded,
    )


def _read_openai(key: str, row: Mapping[str, Any]) -> Model:
    return Model(key=key, kind=_kind(key, None), max_context_length=whole_number(row.get("max_model_len")))


_READ = {ApiVersion.V1: _read_v1, ApiVersion.V0: _read_v0, ApiVersion.OPENAI: _read_openai}


def _kind(key: str, kind: Any) -> Kind:
    # The name counts too: some embedding models are announced as "llm".
    if kind in ("embedding", "embeddings") or key.rpartition("/")[2].startswith(EMBEDDING_PREFIX):
        return Kind.EMBEDDING
    return Kind.LLM


def _instance(item: Mapping[str, Any]) -> Instance:
    config = _mapping(item.get("config"))
    ttl = item.get("remaining_ttl_seconds")
    return Instance(
        str(item.get("id")),
        whole_number(config.get("context_length")),
        float(ttl) if isinstance(ttl, int | float) and not isinstance(ttl, bool) else None,
    )


def _quantization(value: Any) -> str | None:
    return _str(_mapping(value).get("name")) if isinstance(value, Mapping) else _str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in _list(value) if isinstance(item, str))


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def whole_number(value: Any) -> int | None:
    """Return a count of bytes or tokens; None for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None

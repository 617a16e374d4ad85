"""The model lists of the three API versions, read into the same values.

========  ==================  =======================================================================
V1        ``/api/v1/models``  LM Studio 0.4 and later: complete
V0        ``/api/v0/models``  LM Studio 0.3.6 and later: neither sizes nor reasoning
OPENAI    ``/v1/models``      older versions and other OpenAI-compatible servers: names, and little more
========  ==================  =======================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from flask_shim.lmstudio.model import Instance, Kind, Model, Support

EMBEDDING_PREFIX = "text-embedding-"
"""LM Studio's prefix for the keys of embedding models, the only sign of their kind before 0.3.6."""

_EMBEDDING_NAME = re.compile(r"embed|(?<![a-z0-9])(?:bge|gte|e5|minilm)(?![a-z])", re.I)
"""Names of embedding models on other OpenAI-compatible servers, whose lists have no kinds."""


class ApiVersion(Enum):
    """An API of LM Studio; the value is the path of its model list."""

    V1 = "/api/v1/models"
    V0 = "/api/v0/models"
    OPENAI = "/v1/models"

    @property
    def title(self) -> str:
        """The programs that have this API, for the middle of a sentence."""
        return {
            ApiVersion.V1: "LM Studio 0.4 or later",
            ApiVersion.V0: "LM Studio 0.3",
            ApiVersion.OPENAI: "an OpenAI-compatible server",
        }[self]


def is_list(api_version: ApiVersion, value: Any) -> bool:
    """Tell whether ``value`` is the model list of that version: LM Studio answers 200 to paths that it lacks."""
    rows = value.get(_rows_name(api_version)) if isinstance(value, Mapping) else None
    if not isinstance(rows, list) or api_version is not ApiVersion.V0:
        return isinstance(rows, list)
    return all(isinstance(row, Mapping) and ("state" in row or "type" in row) for row in rows)


def read_list(api_version: ApiVersion, value: Mapping[str, Any]) -> tuple[Model, ...]:
    """Return the models of a list in its order, without entries that have no name or the name of an earlier one."""
    read = {ApiVersion.V1: _read_v1, ApiVersion.V0: _read_v0, ApiVersion.OPENAI: _read_openai}[api_version]
    models: dict[str, Model] = {}
    for row in value[_rows_name(api_version)]:
        key = row.get("key" if api_version is ApiVersion.V1 else "id") if isinstance(row, Mapping) else None
        if isinstance(key, str) and key:
            models.setdefault(key, read(key, row))
    return _with_reasoning(tuple(models.values()))


def _rows_name(api_version: ApiVersion) -> str:
    return "models" if api_version is ApiVersion.V1 else "data"


def _with_reasoning(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Return the models with reasoning NO where that is certain: early 0.4 builds report reasoning for no model."""
    if not any(model.reasoning is Support.YES for model in models):
        return models
    return tuple(
        replace(model, reasoning=Support.NO) if model.reasoning is Support.UNKNOWN else model for model in models
    )


def _read_openai(key: str, row: Mapping[str, Any]) -> Model:
    """Read what vLLM, llama.cpp's server, llama-swap and Lemonade add to OpenAI's names."""
    meta = _mapping(row.get("meta"))
    context = row.get("max_model_len") or row.get("context_length") or meta.get("n_ctx") or meta.get("n_ctx_train")
    reads = _mapping(row.get("architecture")).get("input_modalities")
    return Model(
        key=key,
        kind=_kind(key, None),
        size_bytes=whole_number(meta.get("size")),
        max_context_length=whole_number(context),
        vision=Support.of("image" in reads if isinstance(reads, list) else None),
        variants=_strings(row.get("aliases") or _mapping(meta.get("llamaswap")).get("aliases")),
    )


def _read_v1(key: str, row: Mapping[str, Any]) -> Model:
    can = _mapping(row.get("capabilities"))
    reasoning = _mapping(can.get("reasoning"))
    quantization = row.get("quantization")
    return Model(
        key=key,
        kind=_kind(key, row.get("type")),
        publisher=_str(row.get("publisher")),
        display_name=_str(row.get("display_name")),
        architecture=_str(row.get("architecture")),
        format=_str(row.get("format")),
        quantization=_str(quantization.get("name") if isinstance(quantization, Mapping) else quantization),
        size_bytes=whole_number(row.get("size_bytes")),
        parameters=_str(row.get("params_string")),
        max_context_length=whole_number(row.get("max_context_length")),
        vision=Support.of(can.get("vision")),
        tools=Support.of(can.get("trained_for_tool_use")),
        reasoning=Support.YES if reasoning else Support.UNKNOWN,
        reasoning_options=_strings(reasoning.get("allowed_options")),
        reasoning_default=_str(reasoning.get("default")),
        variants=_strings(row.get("variants")),
        selected_variant=_str(row.get("selected_variant")),
        instances=tuple(_instance(item) for item in _list(row.get("loaded_instances")) if isinstance(item, Mapping)),
    )


def _read_v0(key: str, row: Mapping[str, Any]) -> Model:
    can = row.get("capabilities")
    is_loaded = row.get("state") == "loaded"
    return Model(
        key=key,
        kind=_kind(key, row.get("type")),
        publisher=_str(row.get("publisher")),
        architecture=_str(row.get("arch")),
        format=_str(row.get("compatibility_type")),
        quantization=_str(row.get("quantization")),
        max_context_length=whole_number(row.get("max_context_length")),
        vision=Support.of(row["type"] == "vlm" if row.get("type") in ("llm", "vlm") else None),
        tools=Support.of("tool_use" in can if isinstance(can, list) else None),
        instances=(Instance(key, whole_number(row.get("loaded_context_length"))),) if is_loaded else (),
    )


def _kind(key: str, kind: Any) -> Kind:
    # By the name, too: some embedding models are listed as "llm".
    if kind in ("embedding", "embeddings") or key.rpartition("/")[2].startswith(EMBEDDING_PREFIX):
        return Kind.EMBEDDING
    if kind == "decision":
        return Kind.DECISION
    return Kind.EMBEDDING if kind is None and _EMBEDDING_NAME.search(key) else Kind.LLM


def _instance(item: Mapping[str, Any]) -> Instance:
    config = _mapping(item.get("config"))
    ttl = item.get("remaining_ttl_seconds")
    return Instance(
        str(item.get("id")),
        whole_number(config.get("context_length")),
        float(ttl) if isinstance(ttl, int | float) and not isinstance(ttl, bool) else None,
        whole_number(config.get("parallel")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in _list(value) if isinstance(item, str))


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def whole_number(value: Any) -> int | None:
    """Return ``value`` if it can be a count of bytes or tokens, otherwise None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None

"""Settings of what is requested from LM Studio, and of what its answers look like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from flask_shim.config.parsers import (
    LONGEST_SECONDS,
    comma_separated,
    flag,
    integer,
    one_of,
    seconds,
    temperature,
    text_or_texts,
    version,
)
from flask_shim.config.reader import Setting, Unset, setting


@dataclass(frozen=True, kw_only=True)
class BehaviorSettings:
    """What is requested from LM Studio, and what its answers look like."""

    ollama_version: str = setting(
        "SHIM_OLLAMA_VERSION",
        "0.40.12",
        version,
        "Version of Ollama to report; clients choose features by it.",
        fallbacks=("OLLAMA_VERSION",),
    )
    default_ttl: float = setting(
        "SHIM_DEFAULT_TTL_SECONDS",
        "0",
        seconds(0, LONGEST_SECONDS, negative=math.inf),
        "Idle seconds until a model is unloaded if the request has no `keep_alive`; "
        "0 = as LM Studio is set, negative = never.",
        fallbacks=("OLLAMA_KEEP_ALIVE",),
    )
    unload_ttl: float = setting(
        "SHIM_UNLOAD_TTL_SECONDS",
        "0",
        seconds(0, LONGEST_SECONDS),
        "Idle seconds until a model is unloaded after an answer with `keep_alive` 0; 0 = at once. "
        "A request that only unloads is always done at once.",
    )
    default_temperature: float | None = setting(
        "SHIM_DEFAULT_TEMPERATURE",
        "0.8",
        temperature,
        "Temperature for `/api/chat` and `/api/generate` if the request has none; `backend` = as LM Studio is set. "
        "Does not apply to `/v1`.",
    )
    default_system_prompt: str = setting(
        "SHIM_DEFAULT_SYSTEM_PROMPT",
        Unset("none", ""),
        str,
        "System prompt for `/api/chat` and `/api/generate` if the request does not begin with one. "
        "Does not apply to `/v1`.",
        is_free_text=True,
    )
    default_stop: tuple[str, ...] = setting(
        "SHIM_DEFAULT_STOP",
        Unset("none", ()),
        text_or_texts,
        "Stop sequences for `/api/chat` and `/api/generate` if the request has none: one text, or a JSON array of "
        "texts. Does not apply to `/v1`.",
        is_free_text=True,
    )
    default_context: int = setting(
        "SHIM_DEFAULT_CONTEXT",
        "0",
        integer(0, 2**31 - 1),
        "Context length to load models with if the request has no `num_ctx`; 0 = as LM Studio is set.",
        fallbacks=("OLLAMA_CONTEXT_LENGTH",),
    )
    auto_context: bool = setting(
        "SHIM_AUTO_CONTEXT",
        "0",
        flag,
        "1 = reload a model with more context, up to its maximum, for a prompt that does not fit. "
        "Needs LM Studio 0.4, or its `lms` tool on this machine.",
    )
    keep_billing_line: bool = setting(
        "SHIM_KEEP_BILLING_LINE",
        "0",
        flag,
        "1 = leave the line `x-anthropic-billing-header` in Claude Code's system prompt. Its hash changes with every "
        "request, so that LM Studio reads the whole prompt again.",
    )
    generate_via: Literal["chat", "completions"] = setting(
        "SHIM_GENERATE_VIA",
        "chat",
        one_of("chat", "completions"),
        "How `/api/generate` is sent: `chat` applies the model's template as Ollama does, `completions` does not.",
    )
    reasoning: Literal["separate", "merge", "hide"] = setting(
        "SHIM_REASONING",
        "separate",
        one_of("separate", "merge", "hide"),
        "Where a model's thinking goes: `separate` = its own field, `merge` = into the answer, `hide` = nowhere. "
        "Does not apply to `/v1`.",
    )
    show_progress: bool = setting(
        "SHIM_SHOW_PROGRESS",
        "0",
        flag,
        "1 = heartbeats before an answer say, as thinking, what the model does and how far it is, as an estimate. "
        "Not on routes without thinking.",
    )
    default_regular_model: str = setting(
        "SHIM_DEFAULT_REGULAR_MODEL",
        "qwen/qwen3-4b-2507",
        str,
        "Model of `/chat` and `/chat/regular` if the request names none.",
        fallbacks=("DEFAULT_REGULAR_MODEL",),
    )
    default_vision_model: str = setting(
        "SHIM_DEFAULT_VISION_MODEL",
        "qwen3-vl-4b-instruct",
        str,
        "Model of `/chat/vision` if the request names none.",
        fallbacks=("DEFAULT_VISION_MODEL",),
    )
    preload: tuple[str, ...] = setting(
        "SHIM_PRELOAD",
        Unset("none", ()),
        comma_separated,
        "Models that `flask-shim serve` loads at start, comma-separated; waits until LM Studio answers.",
    )
    ensure_model: str = setting(
        "SHIM_ENSURE_MODEL",
        Unset("SHIM_DEFAULT_REGULAR_MODEL if that is set, else openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        str,
        "Model that `flask-shim ensure` prepares if the command names none.",
    )
    disable_uvloop: ClassVar = Setting(
        "SHIM_DISABLE_UVLOOP",
        "0",
        flag,
        "No effect: waitress runs no uvloop. Accepted so that older settings still work.",
        fallbacks=("DISABLE_UVLOOP",),
    )

"""The settings for what is asked of LM Studio and how its answers look."""

from __future__ import annotations

import math
from functools import partial

from flask_shim.config.durations import LONGEST_SECONDS
from flask_shim.config.parsers import (
    flag,
    names,
    number_or,
    one_of,
    seconds,
    shaped,
    text,
    text_or_texts,
    whole,
)
from flask_shim.config.setting import Setting

_of = partial(Setting, group="Behaviour")

BEHAVIOUR: tuple[Setting, ...] = (
    _of(
        "SHIM_OLLAMA_VERSION",
        "ollama_version",
        "0.32.15",
        "Version of Ollama to report; clients choose features by it.",
        shaped(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}", "Not a plain version such as 0.32.15."),
        fallbacks=("OLLAMA_VERSION",),
    ),
    _of(
        "SHIM_DEFAULT_TTL_SECONDS",
        "default_ttl",
        "0",
        "Idle seconds after which a model is unloaded if the client doesn't say; "
        "0 = as LM Studio is set, negative = never.",
        seconds(0, LONGEST_SECONDS, negative=math.inf),
        fallbacks=("OLLAMA_KEEP_ALIVE",),
    ),
    _of(
        "SHIM_UNLOAD_TTL_SECONDS",
        "unload_ttl",
        "0",
        "Idle seconds to leave a model after an answer with `keep_alive` 0; 0 = unload at once. "
        "A request that only unloads is done at once.",
        seconds(0, LONGEST_SECONDS),
    ),
    _of(
        "SHIM_DEFAULT_TEMPERATURE",
        "default_temperature",
        "0.8",
        "Temperature of `/api/chat` and `/api/generate` if the client doesn't say; `backend` = as LM Studio is set. "
        "Below `/v1` LM Studio's own holds.",
        number_or("backend", 0, 2),
    ),
    _of(
        "SHIM_DEFAULT_SYSTEM_PROMPT",
        "default_system_prompt",
        "",
        "System prompt for `/api/chat` and `/api/generate` where they bring none; below `/v1` none is added.",
        text(),
        unset="none",
        is_free_text=True,
    ),
    _of(
        "SHIM_DEFAULT_STOP",
        "default_stop",
        "",
        "Where `/api/chat` and `/api/generate` stop if the client doesn't say: one text, or a JSON array of texts. "
        "Below `/v1` nothing is added.",
        text_or_texts(),
        unset="none",
        is_free_text=True,
    ),
    _of(
        "SHIM_DEFAULT_CONTEXT",
        "default_context",
        "0",
        "Context length to load models with if the client doesn't say; 0 = as LM Studio is set.",
        whole(0, 2**31 - 1),
        fallbacks=("OLLAMA_CONTEXT_LENGTH",),
    ),
    _of(
        "SHIM_GENERATE_VIA",
        "generate_via",
        "chat",
        "What `/api/generate` becomes: `chat` applies the model's template as Ollama does, `completions` doesn't.",
        one_of("chat", "completions"),
    ),
    _of(
        "SHIM_REASONING",
        "reasoning",
        "separate",
        "Where a model's thinking goes: `separate` = a field of its own, `merge` = into the answer, `hide` = nowhere. "
        "Below `/v1` answers are LM Studio's own.",
        one_of("separate", "merge", "hide"),
    ),
    _of(
        "SHIM_DEFAULT_REGULAR_MODEL",
        "default_regular_model",
        "qwen/qwen3-4b-2507",
        "Model of `/chat` and `/chat/regular` if the client names none.",
        text(),
        fallbacks=("DEFAULT_REGULAR_MODEL",),
    ),
    _of(
        "SHIM_DEFAULT_VISION_MODEL",
        "default_vision_model",
        "qwen3-vl-4b-instruct",
        "Model of `/chat/vision` if the client names none.",
        text(),
        fallbacks=("DEFAULT_VISION_MODEL",),
    ),
    _of(
        "SHIM_PRELOAD",
        "preload",
        "",
        "Models that `flask-shim serve` loads at start, comma-separated; waits for LM Studio if it is not there yet.",
        names(),
        unset="none",
    ),
    _of(
        "SHIM_ENSURE_MODEL",
        "ensure_model",
        "",
        "Model that `flask-shim ensure` makes ready if it names none.",
        text(),
        unset="SHIM_DEFAULT_REGULAR_MODEL if that is set, else openai/gpt-oss-20b",
    ),
    _of(
        "SHIM_DISABLE_UVLOOP",
        "",
        "0",
        "Without effect: waitress runs no uvloop. Accepted so that older settings still work.",
        flag(),
        fallbacks=("DISABLE_UVLOOP",),
    ),
)

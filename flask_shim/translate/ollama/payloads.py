"""Translate Ollama's requests and messages into payloads for LM Studio, with known fields only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import STREAMED
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.chat_history import repair_history
from flask_shim.translate.chat_turns import SYSTEM_ROLES, Turn, image_part, text_part
from flask_shim.translate.ollama.capabilities import supported_think
from flask_shim.translate.ollama.context import turns_before
from flask_shim.translate.ollama.images import ImageConverter
from flask_shim.translate.ollama.requests import (
    ChatRequest,
    Format,
    GenerateRequest,
    InferenceRequest,
    Message,
    Think,
)

Payload = dict[str, Any]

LONGEST_TTL_SECONDS = 2_147_483
"""The ttl for "forever": LM Studio counts it in a JavaScript timer, which fires at once above 2^31 ms."""

MOST_TOKENS = 2**31 - 1
"""llama.cpp keeps ``max_tokens`` in a signed 32-bit integer."""

_SPECIAL_TOKENS = 8
"""More than the tokens that a server adds to a prompt, such as that for its beginning."""

_EFFORTS = ("low", "medium", "high")
"""The efforts that LM Studio accepts for models whose levels it does not report."""

SAME = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
)
"""Options with the same name in LM Studio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What is sent where the request sets nothing; None and empty values are left to LM Studio."""

    temperature: float | None = None
    system_prompt: str = ""
    stop: tuple[str, ...] = ()
    ttl_seconds: float = 0
    unload_ttl_seconds: float = 0


def chat_payload(request: ChatRequest, model: Model, defaults: Defaults) -> Payload:
    """Return the payload of /v1/chat/completions for a chat, whose options must have been checked."""
    messages = _with_system(request.messages, defaults)
    payload = {"model": model.key, "messages": to_messages(messages, model.key), **_common(request, model, defaults)}
    if request.tools:
        payload["tools"] = [to_tool(tool) for tool in request.tools]
    return payload


def generate_payload(
    request: GenerateRequest, history: tuple[Message, ...], model: Model, defaults: Defaults
) -> Payload:
    """Return the payload of /v1/chat/completions for a prompt; ``history`` are the turns in ``context``."""
    turns = (*turns_before(request, history), Message("user", request.prompt, images=request.images))
    return {
        "model": model.key,
        "messages": to_messages(_with_system(turns, defaults), model.key),
        **_common(request, model, defaults),
    }


def _with_system(turns: tuple[Message, ...], defaults: Defaults) -> tuple[Message, ...]:
    """Return the turns with the default system prompt before them, unless they begin with one, as Ollama does.

    A later system turn, such as a reminder, must not change the beginning: prompt caches compare from the start.
    """
    if not defaults.system_prompt or (turns and turns[0].role in SYSTEM_ROLES):
        return turns
    return (Message("system", defaults.system_prompt), *turns)


def completion_payload(request: InferenceRequest, prompt: str, model: Model, defaults: Defaults) -> Payload:
    """Return the payload of /v1/completions, which applies no template."""
    return {"model": model.key, "prompt": prompt, **_common(request, model, defaults)}


def _common(request: InferenceRequest, model: Model, defaults: Defaults) -> Payload:
    """Return the fields of both routes: always a stream, with the counts at its end."""
    payload: Payload = {**STREAMED, **to_sampling(request.options, defaults)}
    if (response_format := to_response_format(request.format)) is not None:
        payload["response_format"] = response_format
    if request.think is not None:
        effort = to_reasoning_effort(supported_think(request.think, model), model)
        payload.update({} if effort is None else {"reasoning_effort": effort})
    if request.logprobs:
        payload["logprobs"] = True
        if request.top_logprobs:
            payload["top_logprobs"] = request.top_logprobs
    if (ttl := to_ttl(request.keep_alive, defaults)) is not None:
        payload["ttl"] = ttl
    return payload


def to_messages(messages: Iterable[Message], model_key: str = "") -> list[Turn]:
    """Return the history for LM Studio: string contents, call ids everywhere, images as data URLs."""
    images = ImageConverter()
    turns = repair_history([_to_turn(message, images) for message in messages], model_key)
    # Names have paired the results of clients that send no ids.
    return [
        {field: value for field, value in turn.items() if field != "name"} if "name" in turn else turn for turn in turns
    ]


def _to_turn(message: Message, images: ImageConverter) -> Turn:
    turn: Turn = {"role": message.role, "content": message.content}
    if message.images:
        text = [text_part(message.content)] if message.content else []
        turn["content"] = [*text, *(image_part(images.to_data_url(image)) for image in message.images)]
    if message.role == "tool":
        turn |= {"tool_call_id": message.tool_call_id, "name": message.tool_name}
    if message.role == "assistant" and message.thinking:
        turn["reasoning_content"] = message.thinking
    if message.role == "assistant" and message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
    return turn


def to_sampling(options: Mapping[str, Any], defaults: Defaults) -> Payload:
    """Return the sampling settings that LM Studio knows."""
    payload: Payload = {name: options[name] for name in SAME if options.get(name) is not None}
    if defaults.temperature is not None:
        payload.setdefault("temperature", defaults.temperature)
    if (limit := options.get("num_predict")) is not None and limit >= 0:  # a negative one means no limit
        payload["max_tokens"] = min(max(1, limit), MOST_TOKENS)  # Ollama generates one token for 0
    if (seed := options.get("seed")) is not None and seed >= 0:
        payload["seed"] = seed
    if stop := options.get("stop") or defaults.stop:
        payload["stop"] = list(stop)
    return payload


def to_response_format(format_: Format) -> Payload | None:
    """Return the format of the answer as a schema, also for "json": LM Studio rejects OpenAI's json_object."""
    if format_ is None:
        return None
    return to_schema_format({"type": "object"} if format_ == "json" else format_)


def to_schema_format(schema: Any, name: str = "answer") -> Payload:
    """Return the ``response_format`` for a JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def to_reasoning_effort(think: Think, model: Model) -> str | None:
    """Return LM Studio's value, None where its default is right.

    It rejects any value for models that cannot think, and names that it does not know.
    """
    if think is None or model.reasoning is Support.NO:
        return None
    if think is False:
        return "none"
    if think is True:
        return "medium" if model.reasoning_default == "off" else None
    if think in (*_EFFORTS, *model.reasoning_options):
        return think
    return "high" if think == "max" else None


def to_ttl(keep_alive: float | None, defaults: Defaults) -> int | None:
    """Return the idle seconds after which LM Studio unloads the model, None for its default."""
    seconds = defaults.ttl_seconds if keep_alive is None else keep_alive or defaults.unload_ttl_seconds
    if not seconds:
        return None
    return LONGEST_TTL_SECONDS if seconds > LONGEST_TTL_SECONDS else max(1, math.ceil(seconds))


def to_tool(tool: Mapping[str, Any]) -> Payload:
    """Return a tool as LM Studio accepts it, which rejects nulls and parameters that are not of type object."""
    function = _without_nulls(tool.get("function") or {})
    parameters = function.get("parameters")
    if isinstance(parameters, dict):
        properties = parameters.get("properties") or {}
        properties = _without_nulls(properties) if isinstance(properties, dict) else properties
        parameters = {**_without_nulls(parameters), "type": "object", "properties": properties}
        function = {**function, "parameters": parameters}
    return {"type": "function", "function": function}


def _without_nulls(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in values.items() if value is not None} if None in values.values() else values


def to_other_server(payload: Payload, model: Model) -> Payload:
    """Return the payload for a server that is not LM Studio.

    It may reject a ``ttl``, and vLLM and SGLang end a text completion after 16 tokens if it has no limit. They reject
    one above the rest of the context. No text has more tokens than bytes.
    """
    left = {name: value for name, value in payload.items() if name != "ttl"}
    prompt = left.get("prompt")
    if isinstance(prompt, str) and model.max_context_length and "max_tokens" not in left:
        room = model.max_context_length - len(prompt.encode(errors="replace")) - _SPECIAL_TOKENS
        if room > 0:
            left["max_tokens"] = room
    return left

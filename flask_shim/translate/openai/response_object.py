"""The response object of OpenAI's Responses and its output items, with the keys of Ollama in its order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.openai.responses_request import ResponsesRequest
from flask_shim.translate.openai.responses_tools import LOCAL_SHELL, OfferedTool, OfferedTools

_ECHOED_FIELDS = ("type", "name", "description", "strict", "parameters")  # of a tool
_NO_PENALTIES = {"presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0}
_NOT_STORED = {"max_tool_calls": None, "store": False}
_NO_KEYS = {"safety_identifier": None, "prompt_cache_key": None}


def response_object(
    request: ResponsesRequest,
    *,
    response_id: str,
    created_at: int,
    status: str,
    output: list[Payload],
    totals: Totals | None = None,
    completed_at: int | None = None,
) -> Payload:
    """Return the response to ``request``; times are Unix seconds, ``totals`` are known at the end."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": completed_at,
        "status": status,
        "incomplete_details": None,
        "model": request.model,
        "previous_response_id": None,
        "instructions": request.instructions,
        "output": output,
        "error": None,
        "tools": [{name: tool.get(name) for name in _ECHOED_FIELDS} for tool in request.functions],
        "tool_choice": request.tool_choice or "auto",
        "truncation": request.truncation or "disabled",
        "parallel_tool_calls": request.parallel_tool_calls,
        "text": request.text or {"format": {"type": "text"}},
        "top_p": 1 if request.top_p is None else request.top_p,
        **_NO_PENALTIES,
        "temperature": 1 if request.temperature is None else request.temperature,
        "reasoning": request.reasoning or None,
        "usage": None if totals is None else _usage(totals),
        "max_output_tokens": request.max_output_tokens or None,
        **_NOT_STORED,
        "background": request.background,
        "service_tier": "default",
        "metadata": request.metadata,
        **_NO_KEYS,
    }


def reasoning_item(item_id: str, text: str) -> Payload:
    """Return thinking; ``encrypted_content`` is plain text, for clients that send it back instead of the summary."""
    return {
        "id": item_id,
        "type": "reasoning",
        "summary": [summary_text(text)],
        "encrypted_content": text,
    }


def summary_text(text: str) -> Payload:
    """Return the content of thinking."""
    return {"type": "summary_text", "text": text}


def message_item(item_id: str, text: str) -> Payload:
    """Return the text of an answer."""
    return {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [output_text(text)],
    }


def output_text(text: str) -> Payload:
    """Return the content of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(number: int, index: int, call: FinishedCall, offered: OfferedTools) -> Payload:
    """Return the ``index``-th call of response ``number``, in the form in which the client offered its tool."""
    tool = offered.get(call.name) or OfferedTool(call.name)
    if tool.kind == LOCAL_SHELL:
        return {
            "id": f"lsh_resp_{number}_{index}",
            "type": "local_shell_call",
            "status": "completed",
            "call_id": call.id,
            "action": _shell_action(call.arguments),
        }
    arguments = orjson.dumps(call.arguments).decode()
    if tool.kind == "custom":
        values = list(call.arguments.values())
        return {
            "id": f"ctc_resp_{number}_{index}",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": call.id,
            "name": tool.name,
            "input": values[0] if len(values) == 1 and isinstance(values[0], str) else arguments,
        }
    item = {
        "id": f"fc_resp_{number}_{index}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": tool.name,
        "arguments": arguments,
    }
    return {**item, "namespace": tool.namespace} if tool.namespace else item


def _shell_action(arguments: Mapping[str, Any]) -> Payload:
    command = arguments.get("command")
    # Models that ignore the schema write a line for a shell.
    words = command if isinstance(command, list) else ["bash", "-lc", str(command or "")]
    optional = {name: arguments[name] for name in ("working_directory", "timeout_ms") if arguments.get(name)}
    return {"type": "exec", "command": [str(word) for word in words], "env": {}, **optional}


def _usage(totals: Totals) -> Payload:
    # The details are required fields: they are 0 where the backend does not report them.
    return {
        "input_tokens": totals.prompt_tokens,
        "output_tokens": totals.completion_tokens,
        "total_tokens": totals.prompt_tokens + totals.completion_tokens,
        "input_tokens_details": {"cached_tokens": totals.cached_tokens or 0},
        "output_tokens_details": {"reasoning_tokens": totals.reasoning_tokens or 0},
    }

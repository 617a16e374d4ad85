"""The messages of one request are the beginning of the next one's, in the sessions of coding agents.

Prompt caches compare from the start: one changed message costs the processing of everything behind it.
"""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest

from flask_shim.lmstudio.model import Model
from flask_shim.schemas.ollama_requests import load_chat
from flask_shim.schemas.v1_requests import load_messages, load_responses
from flask_shim.translate.anthropic import messages_request
from flask_shim.translate.billing_line import without_billing_line
from flask_shim.translate.ollama.payloads import Defaults, chat_payload
from flask_shim.translate.openai import responses_request
from flask_shim.translate.openai.chat_completions import adapt

TURNS = 10
PNG = "iVBORw0KGgo="
REMINDER = "<system-reminder>Your todo list is empty.</system-reminder>"


def claude_code(turn):
    """Return what one turn adds to ``messages``: reminders, images, two calls at once, an interruption."""
    calls = [
        {"type": "tool_use", "id": f"toolu_{turn}_{name}", "name": name, "input": {"path": "a.py", "line": turn}}
        for name in ("read", "look")
    ]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    results = [
        {"type": "tool_result", "tool_use_id": calls[0]["id"], "content": f"line {turn}"},
        {"type": "tool_result", "tool_use_id": calls[1]["id"], "content": [image]},
    ]
    text = {"type": "text", "text": REMINDER, "cache_control": {"type": "ephemeral"}}
    yield {"role": "user", "content": [text, {"type": "text", "text": f"Do {turn}."}]}
    yield {"role": "assistant", "content": [{"type": "thinking", "thinking": f"Hm {turn}.", "signature": ""}, *calls]}
    yield {"role": "user", "content": [*results[: 1 + turn % 2], text][: 3 - turn % 3]}
    if turn % 2:
        yield {"role": "system", "content": f"<total_tokens>{turn} tokens left</total_tokens>"}
    if turn % 3:
        yield {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "So."}, {"type": "text", "text": f"Done {turn}."}],
        }


def codex(turn):
    """Return what one turn adds to ``input``: reasoning, a function call, a custom call, a developer message."""
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    yield {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"Do {turn}."}]}
    yield {"type": "reasoning", "summary": [{"type": "summary_text", "text": f"Hm {turn}."}], "content": None}
    yield {"type": "function_call", "name": "shell", "call_id": f"c{turn}", "arguments": '{"command": ["ls"]}'}
    yield {"type": "function_call_output", "call_id": f"c{turn}", "output": [image] if turn % 2 else "a.py"}
    if turn % 3 == 0:
        text = "<permissions>The sandbox changed.</permissions>"
        yield {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}
    yield {"type": "custom_tool_call", "name": "apply_patch", "call_id": f"p{turn}", "input": "*** Begin Patch"}
    yield {"type": "custom_tool_call_output", "call_id": f"p{turn}", "output": "Success."}
    yield {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"Done {turn}."}]}


def ollama_client(turn):
    """Return what one turn adds to ``messages`` of Ollama's protocol: calls without ids, thinking, system turns."""
    call = {"function": {"name": "read", "arguments": {"z": turn, "a": "x"}}}
    yield {"role": "user", "content": f"Do {turn}."}
    yield {"role": "assistant", "content": "", "thinking": f"Hm {turn}.", "tool_calls": [call] * (1 + turn % 2)}
    for _ in range(1 + turn % 2):
        yield {"role": "tool", "tool_name": "read", "content": "a.py", **({"images": [PNG]} if turn % 3 == 1 else {})}
    if turn % 2:
        yield {"role": "system", "content": REMINDER}
    yield {"role": "assistant", "content": f"<think>Well.</think>Done {turn}."}


def chat_client(turn):
    """Return what one turn adds to ``messages`` of opencode and Cline: OpenAI's chat completions."""
    call = {"id": f"c{turn}", "type": "function", "function": {"name": "read", "arguments": '{"z": 1, "a": 2}'}}
    yield {"role": "user", "content": [{"type": "text", "text": f"Do {turn}."}]}
    yield {"role": "assistant", "content": None, "reasoning_content": f"Hm {turn}.", "tool_calls": [call]}
    yield {"role": "tool", "tool_call_id": call["id"], "content": [{"type": "text", "text": "a.py"}]}
    if turn % 2:
        yield {"role": "system" if turn % 3 else "developer", "content": REMINDER}
    yield {"role": "assistant", "content": f"Done {turn}."}


def messages_payload(messages, request, model):
    billing = f"x-anthropic-billing-header: cc_version=2.1.37; cch={request:05x};"
    system = [{"type": "text", "text": billing}, {"type": "text", "text": "You are Claude Code."}]
    body = {"model": "m", "max_tokens": 9, "system": without_billing_line(system), "messages": messages}
    return messages_request.to_payload(load_messages(body), model, Defaults())


def responses_payload(items, _, model):
    first = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be careful."}]}
    body = {"model": "m", "instructions": "You are Codex.", "input": [first, *items]}
    return responses_request.to_payload(load_responses(body), model, Defaults())


def ollama_payload(messages, _, model):
    body = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, *messages]}
    return chat_payload(load_chat(orjson.dumps(body)), model, Defaults())


def completions_payload(messages, _, model):
    return adapt({"model": "m", "messages": [{"role": "system", "content": "You are opencode."}, *messages]}, model)


CLIENTS = {
    "Claude Code": (claude_code, messages_payload, ("user", "system")),
    "Codex": (codex, responses_payload, ("user", "function_call_output", "custom_tool_call_output", "developer")),
    "Ollama's protocol": (ollama_client, ollama_payload, ("user", "tool", "system")),
    "opencode": (chat_client, completions_payload, ("user", "tool", "system", "developer")),
}
MODELS = [
    "zai-org/glm-4.6",
    "openai/gpt-oss-20b",
    "qwen/qwen3.6-35b-a3b",
    "mistralai/devstral-small-2-24b",
    "google/gemma-3-12b",
]


def sent_by(client, key):
    """Return the messages that LM Studio gets in every request of a session."""
    history, to_payload, waits_after = CLIENTS[client]
    items = [item for turn in range(TURNS) for item in history(turn)]
    ends = [
        end
        for end, item in enumerate(items, 1)
        if kind(item) in waits_after and (end == len(items) or kind(items[end]) not in waits_after)
    ]
    return [to_payload(items[:end], end, Model(key=key))["messages"] for end in ends]


def kind(item):
    return item["type"] if item.get("type", "message") != "message" else item["role"]


@pytest.mark.parametrize("key", MODELS)
@pytest.mark.parametrize("client", CLIENTS)
def test_each_request_begins_with_the_one_before_it(client, key):
    requests = sent_by(client, key)
    assert len(requests) > TURNS
    for earlier, later in pairwise(requests):
        assert later[: len(earlier)] == earlier


@pytest.mark.parametrize("key", MODELS[1:])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_strict_template_gets_one_system_turn(client, key):
    roles = [turn["role"] for turn in sent_by(client, key)[-1]]
    assert roles[0] == "system"
    assert "system" not in roles[1:]


@pytest.mark.parametrize("client", CLIENTS)
def test_roles_alternate_where_a_template_requires_it(client):
    """Devstral's rule: of users and of assistants without calls, one follows the other (images of tools excepted)."""
    turns = [
        turn
        for turn in sent_by(client, "mistralai/devstral-small-2-24b")[-1][1:]
        if turn["role"] in ("user", "assistant") and not turn.get("tool_calls") and "image_url" not in str(turn)
    ]
    roles = [turn["role"] for turn in turns]
    assert all(first != second for first, second in pairwise(roles)), roles

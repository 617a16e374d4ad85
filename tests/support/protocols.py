"""The five chat protocols behind one interface: make a request of neutral parts, read a streamed or whole answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MODEL = "tiny"
PROMPT = "hi"


@dataclass
class Outcome:
    """What an answer says, in whatever protocol; ``error`` is its message."""

    status: int
    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str = ""
    error: str = ""
    code: str | None = None
    param: str | None = None
    is_complete: bool = False


@dataclass(frozen=True)
class Protocol:
    """One route: its path, the form of its bodies, and the readers of its answers."""

    name: str
    path: str
    body: Callable[..., dict[str, Any]]
    read_whole: Callable[[Outcome, dict[str, Any]], None]
    read_event: Callable[[Outcome, dict[str, Any]], None]

    def ask(self, client: Any, *, stream: bool, **parts: Any) -> Outcome:
        """Send a request and read its answer. ``parts`` are ``tools`` (names), ``image`` and raw ``more`` fields."""
        answer = client.post(self.path, json=self.body(**parts) | {"stream": stream}, buffered=True)
        outcome = Outcome(answer.status_code)
        if answer.mimetype == "application/json":
            if answer.status_code >= 400:
                _read_error(outcome, answer.json["error"])
            else:
                self.read_whole(outcome, answer.json)
                outcome.is_complete = True
            return outcome
        for line in answer.text.splitlines():
            data = line[6:] if line.startswith("data: ") else line
            if data == "[DONE]":
                outcome.is_complete = True
            elif data.startswith("{"):
                event = json.loads(data)
                if event.get("error"):
                    _read_error(outcome, event["error"])
                else:
                    self.read_event(outcome, event)
        return outcome


def _read_error(outcome: Outcome, error: Any) -> None:
    outcome.error = error if isinstance(error, str) else error["message"]
    outcome.code = None if isinstance(error, str) else error.get("code") or error.get("type")
    outcome.param = None if isinstance(error, str) else error.get("param")


def _arguments(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text


def _schema() -> dict[str, Any]:
    return {"type": "object", "properties": {"at": {"type": "string"}}}


def _function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": _schema()}}


def _body(tools: tuple[str, ...], more: dict[str, Any], shape: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return {"model": MODEL, **({"tools": [shape(name) for name in tools]} if tools else {}), **more}


def _ollama_chat(tools: tuple[str, ...] = (), image: str = "", **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": PROMPT, **({"images": [image]} if image else {})}
    return {"messages": [message], **_body(tools, more, _function)}


def _generate(tools: tuple[str, ...] = (), image: str = "", **more: Any) -> dict[str, Any]:
    return {"prompt": PROMPT, **({"images": [image]} if image else {}), **_body((), more, _function)}


def _openai_chat(tools: tuple[str, ...] = (), image: str = "", **more: Any) -> dict[str, Any]:
    picture = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}] if image else []
    content = [{"type": "text", "text": PROMPT}, *picture]
    return {"messages": [{"role": "user", "content": content}], **_body(tools, more, _function)}


def _responses(tools: tuple[str, ...] = (), image: str = "", **more: Any) -> dict[str, Any]:
    picture = [{"type": "input_image", "image_url": f"data:image/png;base64,{image}"}] if image else []
    item = {"role": "user", "content": [{"type": "input_text", "text": PROMPT}, *picture]}
    return {
        "input": [item],
        **_body(tools, more, lambda name: {"type": "function", "name": name, "parameters": _schema()}),
    }


def _messages(tools: tuple[str, ...] = (), image: str = "", **more: Any) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": image}
    content = [{"type": "text", "text": PROMPT}, *([{"type": "image", "source": source}] if image else [])]
    return {
        "max_tokens": 50,
        "messages": [{"role": "user", "content": content}],
        **_body(tools, more, lambda name: {"name": name, "input_schema": _schema()}),
    }


def _read_ollama(outcome: Outcome, record: dict[str, Any]) -> None:
    message = record.get("message") or {"content": record.get("response"), "thinking": record.get("thinking")}
    outcome.text += message.get("content") or ""
    outcome.thinking += message.get("thinking") or ""
    for call in message.get("tool_calls") or []:
        outcome.calls.append((call["function"]["name"], call["function"]["arguments"]))
    outcome.is_complete = record["done"]
    outcome.finish = record.get("done_reason", "")


def _read_completion(outcome: Outcome, body: dict[str, Any]) -> None:
    message = body["choices"][0]["message"]
    outcome.text = message.get("content") or ""
    outcome.thinking = message.get("reasoning") or ""
    outcome.calls = [
        (each["function"]["name"], _arguments(each["function"]["arguments"]))
        for each in message.get("tool_calls") or []
    ]
    outcome.finish = body["choices"][0]["finish_reason"]


def _read_chunk(outcome: Outcome, chunk: dict[str, Any]) -> None:
    for choice in chunk["choices"]:
        delta = choice.get("delta", {})
        outcome.text += delta.get("content") or ""
        outcome.thinking += delta.get("reasoning") or ""
        for call in delta.get("tool_calls") or []:
            outcome.calls.append((call["function"]["name"], _arguments(call["function"]["arguments"])))
        outcome.finish = choice.get("finish_reason") or outcome.finish


def _read_response(outcome: Outcome, body: dict[str, Any]) -> None:
    for item in body["output"]:
        if item["type"] == "message":
            outcome.text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "reasoning":
            outcome.thinking += "".join(part["text"] for part in [*item["summary"], *(item.get("content") or [])][:1])
        else:
            outcome.calls.append((item["name"], _arguments(item["arguments"])))
    outcome.finish = body["status"]


def _read_response_event(outcome: Outcome, event: dict[str, Any]) -> None:
    if event["type"] in {"response.completed", "response.incomplete"}:
        _read_response(outcome, event["response"])
        outcome.is_complete = True
    elif event["type"] == "response.failed":
        _read_error(outcome, event["response"]["error"])


def _read_message(outcome: Outcome, body: dict[str, Any]) -> None:
    for block in body["content"]:
        if block["type"] == "tool_use":
            outcome.calls.append((block["name"], block["input"]))
        elif block["type"] == "thinking":
            outcome.thinking += block["thinking"]
        else:
            outcome.text += block["text"]
    outcome.finish = body["stop_reason"]


def _read_message_event(outcome: Outcome, event: dict[str, Any]) -> None:
    delta = event.get("delta", {})
    if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
        outcome.calls.append((event["content_block"]["name"], ""))
    elif delta.get("type") == "input_json_delta":
        name, arguments = outcome.calls.pop()
        outcome.calls.append((name, arguments + delta["partial_json"]))
    elif event["type"] == "content_block_stop" and outcome.calls and isinstance(outcome.calls[-1][1], str):
        name, arguments = outcome.calls.pop()
        outcome.calls.append((name, json.loads(arguments or "{}")))
    outcome.text += delta.get("text", "")
    outcome.thinking += delta.get("thinking", "")
    outcome.finish = delta.get("stop_reason") or outcome.finish
    outcome.is_complete = outcome.is_complete or event["type"] == "message_stop"


PROTOCOLS = (
    Protocol("api-chat", "/api/chat", _ollama_chat, _read_ollama, _read_ollama),
    Protocol("api-generate", "/api/generate", _generate, _read_ollama, _read_ollama),
    Protocol("v1-chat", "/v1/chat/completions", _openai_chat, _read_completion, _read_chunk),
    Protocol("v1-responses", "/v1/responses", _responses, _read_response, _read_response_event),
    Protocol("v1-messages", "/v1/messages", _messages, _read_message, _read_message_event),
)

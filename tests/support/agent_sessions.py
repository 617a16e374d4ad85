"""Long sessions of Claude Code and Codex, made from compact data, and clients that play them through three protocols.

The shapes are those that Claude Code 2.1.197 and Codex 0.171 send: several system blocks, reminders before the prompt,
system messages behind the first prompt and behind tool results, calls side by side, pictures as results, custom tools.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from support.pictures import picture

BILLING = "x-anthropic-billing-header: cc_version=2.1.197.e58; cc_entrypoint=cli; cch={:05x};"
STEPS = 5
"""Requests for one task: the user speaks before the first, and the answer to the last one has no calls."""

_PNG = base64.b64encode(picture(size=(2, 2))).decode()
_REMINDER = "<system-reminder>\nThe date is 2026-11-29. This may not be relevant.\n</system-reminder>"


@dataclass(frozen=True)
class Call:
    """A tool call of the model, and what the tool answers."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: str
    has_picture: bool = False


@dataclass(frozen=True)
class Exchange:
    """One request and its answer: the results of the calls before, what user and harness say, and the model."""

    texts: tuple[str, ...] = ()
    system: str = ""
    thinking: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Session:
    """One conversation. ``volatile`` changes with every request."""

    name: str
    system: tuple[str, ...]
    tools: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    volatile: str = ""
    custom_tools: tuple[str, ...] = ()


def claude_code(turns: int = 30, tools: int = 60, *, words: int = 40, pictures: bool = True) -> Session:
    """Return a session of Claude Code; ``words`` is the length of its system prompt and of what tools read."""

    def exchange(number: int) -> Exchange:
        is_prompt, is_last = number % STEPS == 0, number % STEPS == STEPS - 1
        read = Call(f"toolu_{number}_a", "tool_0", {"path": f"src/a{number}.py", "limit": 20}, _listing(number, words))
        look = Call(f"toolu_{number}_b", "tool_1", {"z": 1.5, "a": [None, {"é": "🙂"}]}, "", has_picture=True)
        calls = () if is_last else (read, look) if pictures and number % 3 == 1 else (read,)
        texts = (_REMINDER, f"Do task {number}.") if is_prompt else (_REMINDER,) if number % 4 == 3 else ()
        late = "" if is_prompt else f"<total_tokens>{90_000 - 700 * number} tokens left</total_tokens>"
        system = late if number else "Agents: claude, Explore."
        return Exchange(texts, system, f"Hm {number}.", f"Done {number}." if is_last else "", calls)

    system = ("You are Claude Code.", "\nYou help users with their software. " + "Be brief and exact. " * words)
    return Session("Claude Code", system, _tools(tools), tuple(map(exchange, range(turns))), BILLING)


def codex(turns: int = 30, tools: int = 60, *, words: int = 40) -> Session:
    """Return a session of Codex."""

    def exchange(number: int) -> Exchange:
        is_prompt, is_last = number % STEPS == 0, number % STEPS == STEPS - 1
        patch = f"*** Begin Patch\n*** Update File: a{number}.py\n+x = '\\n'\n*** End Patch"
        run = Call(f"call_{number}_a", "tool_0", {"cmd": ["bash", "-lc", f"cat a{number}.py"]}, _listing(number, words))
        edit = Call(f"call_{number}_b", "apply_patch", {"input": patch}, "Success.")
        view = Call(f"call_{number}_c", "tool_1", {"path": "shot.png"}, "", has_picture=True)
        calls = () if is_last else (run, view) if number % 4 == 1 else (edit,) if number % 4 == 2 else (run,)
        texts = (f"Do task {number}.",) if is_prompt else ()
        system = "<permissions>Read only.</permissions>" if number % 10 == 5 else ""
        return Exchange(texts, system, f"**Hm** {number}.", f"Done {number}." if is_last else "", calls)

    system = ("You are a coding agent in the Codex CLI. " * words, "<skills_instructions>None.</skills_instructions>")
    tools_ = (*_tools(tools - 1), "apply_patch")
    return Session("Codex", system, tools_, tuple(map(exchange, range(turns))), custom_tools=("apply_patch",))


def _tools(count: int) -> tuple[str, ...]:
    return tuple(f"tool_{number}" for number in range(count))


def _listing(number: int, words: int) -> str:
    return "\n".join(f"{line}\tx{number} = {line * number}  # é" for line in range(words // 4))


def _schema(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"path": {"type": "string", "description": f"What {name} reads."}, "limit": {"type": "integer"}},
        "required": ["path"],
    }


class MessagesClient:
    """Plays a session through /v1/messages."""

    path = "/v1/messages"

    def __init__(self, session: Session, model: str) -> None:
        self._session, self._model = session, model
        self._messages: list[dict[str, Any]] = []

    def ask(self, number: int, answered: tuple[Call, ...]) -> dict[str, Any]:
        """Return the body of a request; ``answered`` are the calls whose results it brings."""
        exchange = self._session.exchanges[number]
        results = [
            {
                "type": "tool_result",
                "tool_use_id": call.id,
                "content": [self._image()] if call.has_picture else call.result,
            }
            for call in answered
        ]
        texts = [{"type": "text", "text": text} for text in exchange.texts]
        self._messages.append({"role": "user", "content": [*results, *texts]})
        if exchange.system:
            self._messages.append({"role": "system", "content": exchange.system})
        blocks = [*([self._session.volatile.format(number)] if self._session.volatile else []), *self._session.system]
        return {
            "model": self._model,
            "max_tokens": 32000,
            "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in blocks],
            "tools": [
                {"name": n, "description": f"Runs {n}.", "input_schema": _schema(n)} for n in self._session.tools
            ],
            "thinking": {"type": "adaptive"},
            "metadata": {"user_id": f"session_{number}"},
            "messages": self._messages,
        }

    def take(self, answer: dict[str, Any]) -> None:
        """Add an answer to the history as it came."""
        self._messages.append({"role": "assistant", "content": answer["content"]})

    @staticmethod
    def calls_in(answer: dict[str, Any]) -> list[tuple[str, Any]]:
        """Return name and arguments of the calls in an answer."""
        return [(block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]

    def _image(self) -> dict[str, Any]:
        return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}}


class ResponsesClient:
    """Plays a session through /v1/responses."""

    path = "/v1/responses"

    def __init__(self, session: Session, model: str) -> None:
        self._session, self._model = session, model
        self._items: list[dict[str, Any]] = []

    def ask(self, number: int, answered: tuple[Call, ...]) -> dict[str, Any]:
        """Return the body of a request."""
        session, exchange = self._session, self._session.exchanges[number]
        if not self._items:
            self._items = [self._message("developer", text) for text in session.system]
        for call in answered:
            kind = "custom_tool_call" if call.name in session.custom_tools else "function_call"
            image = [{"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}"}]
            output = image if call.has_picture else call.result
            self._items.append({"type": f"{kind}_output", "call_id": call.id, "output": output})
        if exchange.texts:
            self._items.append(self._message("user", *exchange.texts))
        if exchange.system:
            self._items.append(self._message("developer", exchange.system))
        return {
            "model": self._model,
            "input": self._items,
            "tools": [*map(self._tool, session.tools), {"type": "web_search"}],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"summary": "auto"},
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": f"key_{number}",
        }

    def take(self, answer: dict[str, Any]) -> None:
        """Add an answer to the history as it came."""
        self._items += answer["output"]

    @staticmethod
    def calls_in(answer: dict[str, Any]) -> list[tuple[str, Any]]:
        """Return name and arguments of the calls in an answer."""
        items = [
            item for item in answer["output"] if item["type"].endswith("tool_call") or item["type"] == "function_call"
        ]
        return [
            (item["name"], json.loads(item["arguments"]) if "arguments" in item else {"input": item["input"]})
            for item in items
        ]

    def _tool(self, name: str) -> dict[str, Any]:
        if name in self._session.custom_tools:
            return {"type": "custom", "name": name, "description": f"Runs {name}."}
        return {"type": "function", "name": name, "description": f"Runs {name}.", "parameters": _schema(name)}

    @staticmethod
    def _message(role: str, *texts: str) -> dict[str, Any]:
        content = [{"type": "input_text", "text": text} for text in texts]
        return {"type": "message", "role": role, "content": content}


class ChatClient:
    """Plays a session through /api/chat, as a proxy does that speaks Ollama's protocol."""

    path = "/api/chat"

    def __init__(self, session: Session, model: str) -> None:
        self._session, self._model = session, model
        self._messages: list[dict[str, Any]] = []

    def ask(self, number: int, answered: tuple[Call, ...]) -> dict[str, Any]:
        """Return the body of a request."""
        session, exchange = self._session, self._session.exchanges[number]
        for call in answered:
            images = {"images": [_PNG]} if call.has_picture else {}
            self._messages.append(
                {"role": "tool", "tool_name": call.name, "tool_call_id": call.id, "content": call.result, **images}
            )
        if exchange.texts:
            self._messages.append({"role": "user", "content": "\n".join(exchange.texts)})
        if exchange.system:
            self._messages.append({"role": "system", "content": exchange.system})
        blocks = [*([session.volatile.format(number)] if session.volatile else []), *session.system]
        return {
            "model": self._model,
            "messages": [{"role": "system", "content": text} for text in blocks] + self._messages,
            "tools": [
                {"type": "function", "function": {"name": n, "description": f"Runs {n}.", "parameters": _schema(n)}}
                for n in session.tools
            ],
        }

    def take(self, answer: dict[str, Any]) -> None:
        """Add an answer to the history as it came."""
        self._messages.append(answer["message"])

    @staticmethod
    def calls_in(answer: dict[str, Any]) -> list[tuple[str, Any]]:
        """Return name and arguments of the calls in an answer."""
        functions = [call["function"] for call in answer["message"].get("tool_calls", ())]
        return [(function["name"], function["arguments"]) for function in functions]


CLIENTS = (MessagesClient, ResponsesClient, ChatClient)


def pieces(exchange: Exchange) -> Iterator[dict[str, Any]]:
    """Yield the deltas in which LM Studio streams the answer of an exchange."""
    yield {"role": "assistant", "reasoning_content": exchange.thinking}
    if exchange.text:
        yield {"content": exchange.text}
    for index, call in enumerate(exchange.calls):
        function = {
            "name": call.name,
            "arguments": json.dumps(call.arguments, separators=(",", ":"), ensure_ascii=False),
        }
        yield {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}

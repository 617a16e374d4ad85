"""Answers that no tiny model gives, from a scripted backend (sections 7.5 to 7.8 and 8)."""

from __future__ import annotations

from typing import Any

from conformance.row import NDJSON, Many, Row, error, post
from conformance.table.records import SILENT, bare_chat, chat_chunk, chat_done, generate_done
from support.shapes import ANYTHING, TEXT, UTC, mapping, one_of

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "d",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}

PARIS = {"id": TEXT, "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Paris", "n": 1}}}
NOW = {"id": TEXT, "function": {"index": 1, "name": "get_time", "arguments": {}}}
TOKEN = {"token": "Hé", "logprob": -0.25, "bytes": [72, 195, 169]}
TOP = [TOKEN, {"token": "Yo", "logprob": -1.5, "bytes": [89, 111]}]

COUNTS = {"prompt_eval_count": 11, "eval_count": 4}


def said(text: str, model: str = "plain") -> dict[str, Any]:
    """Describe a line with just that text."""
    return chat_chunk({"role": "assistant", "content": text}, model)


def thought(text: str) -> dict[str, Any]:
    """Describe a line with just that thinking."""
    return chat_chunk({"role": "assistant", "content": "", "thinking": text}, "tooly")


def chat(name: str, word: str, *lines: Any, model: str = "plain", tools: Any = (WEATHER, TIME), **more: Any) -> Row:
    """Make a row of a streamed chat."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": word}],
        **({"tools": list(tools)} if model == "tooly" else {}),
    }
    return post("7.6", name, "/api/chat", {**body, **more.pop("body", {})}, type=NDJSON, lines=list(lines), **more)


def whole(name: str, word: str, shape: Any, model: str = "plain", **more: Any) -> Row:
    """Make a row of a chat that comes in one object."""
    row = chat(name, word, model=model, **more)
    return post("7.6", name, row.path, {**row.body, "stream": False}, json=shape, differs=row.differs)


def refused(name: str, word: str, status: int, text: Any, body: dict[str, Any] | None = None, **more: Any) -> Row:
    """Make a row of a chat that fails before it says a word."""
    asked = {"model": "plain", "messages": [{"role": "user", "content": word}], **(body or {})}
    return post("7.6", name, "/api/chat", asked, **error(status, text), **more)


FAILED = (
    "A failure of LM Studio is 502, an unreachable LM Studio 503, a silent one 504; Ollama answers "
    "500 to most failures of its engine. A model that crashed or cannot be loaded is 500 here, too."
)
CUT = (
    "An answer that breaks off ends with an `error` record, or with status 502 if it is not "
    "streamed; Ollama ends the stream without one, or with `done` false."
)

ASSISTANT = {"role": "assistant", "content": ""}
BROKEN = {"error": TEXT}

ROWS = (
    chat("what is said is passed on", "hi", said("Hello"), said(" <b>&"), said(" world"), chat_done()),
    chat(
        "characters of HTML are sent as they are",
        "hi",
        Many(chat_chunk(ANYTHING)),
        chat_done(),
        raw=" <b>&",
        differs="`<`, `>` and `&` are sent unescaped; Ollama writes `\\u003c` and so on. Both are the same JSON.",
    ),
    chat("counts are the backend's", "hi", Many(chat_chunk(ANYTHING)), mapping(ANYTHING, COUNTS)),
    chat(
        "thinking comes first",
        "THINK",
        thought("Let me "),
        thought("think."),
        said("Hello", "tooly"),
        said(" <b>&", "tooly"),
        said(" world", "tooly"),
        chat_done(model="tooly"),
        model="tooly",
    ),
    chat(
        "thinking, text and two calls",
        "THINK CALL TWO TEXT",
        Many(thought(TEXT), 2),
        said("Calling now. ", "tooly"),
        chat_chunk({**ASSISTANT, "tool_calls": [PARIS, NOW]}, "tooly"),
        chat_done(model="tooly"),
        model="tooly",
        differs=(
            "Tool calls are in a record before the last one, as Ollama documents it; its models with a "
            "native template send them in the last record."
        ),
    ),
    whole(
        "two calls in one object",
        "CALL TWO",
        chat_done({**ASSISTANT, "tool_calls": [PARIS, NOW]}, "tooly", "stop"),
        model="tooly",
    ),
    whole(
        "all in one object",
        "THINK CALL TWO TEXT",
        chat_done(
            {"role": "assistant", "content": "Calling now. ", "thinking": "Let me think.", "tool_calls": [PARIS, NOW]},
            "tooly",
            "stop",
        ),
        model="tooly",
    ),
    chat("an answer that is cut says so", "LEN", said("Hello"), said(" <b>&"), chat_done(reason="length")),
    chat("an empty answer is the last line", "EMPTY", chat_done()),
    whole("an empty answer has no text", "EMPTY", chat_done(SILENT)),
    chat(
        "logprobs come with their token",
        "LP",
        {**chat_chunk({"role": "assistant", "content": "Hé"}), "logprobs": [{**TOKEN, "top_logprobs": TOP}]},
        chat_done(),
        body={"logprobs": True, "top_logprobs": 2},
    ),
    *(
        refused(
            f"a failure before the first word has a status{words}", "ERR500", 502, "boom inside", body, differs=FAILED
        )
        for words, body in (("", {}), (" also without a stream", {"stream": False}))
    ),
    refused("a refusal has the backend's text", "ERR400", 400, TEXT),
    chat("a failure in the middle is the last line", "ERRMID", said("Hel"), BROKEN),
    refused(
        "a failure in the middle of what is not streamed has its status",
        "ERRMID",
        one_of(500, 502),
        TEXT,
        {"stream": False},
    ),
    chat("an answer that breaks off is said to", "EOFMID", said("Hel"), BROKEN, differs=CUT),
    refused("an answer that breaks off is a failure", "EOFMID", 502, TEXT, {"stream": False}, differs=CUT),
    post(
        "7.5",
        "a generation in the middle of which something fails",
        "/api/generate",
        {"model": "plain", "prompt": "ERRMID"},
        type=NDJSON,
        lines=[{"model": "plain", "created_at": UTC, "response": "Hel", "done": False}, BROKEN],
    ),
    post(
        "7.5",
        "counts of a generation are the backend's",
        "/api/generate",
        {"model": "plain", "prompt": "hi", "stream": False},
        json=mapping(ANYTHING, {"response": "Hello <b>& world", **COUNTS}),
    ),
    post(
        "7.5",
        "an empty generation",
        "/api/generate",
        {"model": "plain", "prompt": "EMPTY", "stream": False},
        json=generate_done(""),
    ),
    post(
        "7.6",
        "logprobs in one object",
        "/api/chat",
        {"model": "plain", "messages": [{"role": "user", "content": "LP"}], "logprobs": True, "stream": False},
        json=mapping(ANYTHING, {"logprobs": [mapping(ANYTHING, TOKEN)]}),
    ),
    post(
        "8.4",
        "vectors as they are",
        "/v1/embeddings",
        {"model": "embedder", "input": "x"},
        json=mapping(ANYTHING, {"data": [mapping(ANYTHING, {"embedding": [3.0, 4.0, 0.0, 12.0]})]}),
        type="application/json",
        differs="Vectors of /v1/embeddings are LM Studio's; Ollama normalizes them to length 1.",
    ),
    post("7.6", "a chat that only loads", "/api/chat", {"model": "plain"}, json=bare_chat("load")),
)

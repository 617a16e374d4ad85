"""Which of several faults is reported (section 5), and what models cannot do."""

from __future__ import annotations

from typing import Any

from conformance.row import Row, error, post
from conformance.table.chat import WEATHER
from conformance.table.records import bare_chat, bare_generate

_TOO_MANY = {"top_logprobs": 21}
_UNKNOWN = {"model": "nope"}
_EMBEDDER = {"model": "tiny-embed"}
_PLAIN = {"model": "plain"}
_THINKS = {"think": True}
_WRONG_OPTION = {"options": {"num_predict": "x"}}
_WRONG_FORMAT = {"format": "yaml"}
_HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
_PROMPT = {"prompt": "Hello"}
_SUFFIX = {"suffix": "x"}
_TOOLS = {"tools": [WEATHER]}
_RAW = {"raw": True, "system": "x"}

OUT_OF_RANGE = "top_logprobs must be between 0 and 20"
NO_MODEL = "model 'nope' not found"
NO_THINKING = '"plain" does not support thinking'
OPTION = 'option "num_predict" must be of type integer'
CONFLICT = "raw mode does not support template, system, or context"


def _chat(name: str, status: int, text: str, *parts: dict[str, Any]) -> Row:
    return post("5", name, "/api/chat", _joined(parts), **error(status, text))


def _generate(name: str, status: int, text: str, *parts: dict[str, Any]) -> Row:
    return post("5", name, "/api/generate", _joined(parts), **error(status, text))


def _joined(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


ROWS = (
    _chat(
        "types are looked at first",
        400,
        "think must be a boolean or string",
        _UNKNOWN,
        _TOO_MANY,
        {"think": 1},
        _HELLO,
    ),
    _chat("then logprobs", 400, OUT_OF_RANGE, {"model": "bad name"}, _TOO_MANY, _HELLO),
    _chat("then whether there is a name", 400, "model is required", _WRONG_OPTION, _THINKS, _HELLO),
    _chat("then the model", 404, NO_MODEL, _UNKNOWN, _THINKS, _WRONG_OPTION, _HELLO),
    post(
        "5",
        "a request to unload is not looked at any further",
        "/api/chat",
        _joined((_PLAIN, _THINKS, _TOOLS, _WRONG_OPTION, {"keep_alive": 0})),
        json=bare_chat("unload"),
    ),
    post(
        "5",
        "nor if it asks to generate",
        "/api/generate",
        _joined((_EMBEDDER, _RAW, _WRONG_OPTION, {"keep_alive": 0})),
        json=bare_generate("unload", "tiny-embed"),
    ),
    _chat("then thinking", 400, NO_THINKING, _PLAIN, _THINKS, _TOOLS, _WRONG_OPTION, _WRONG_FORMAT, _HELLO),
    _chat("thinking comes before chatting", 400, '"tiny-embed" does not support thinking', _EMBEDDER, _THINKS, _HELLO),
    _chat("then whether it chats", 400, '"tiny-embed" does not support chat', _EMBEDDER, _TOOLS, _WRONG_OPTION, _HELLO),
    _chat("also if it is only to load", 400, '"tiny-embed" does not support chat', _EMBEDDER),
    _chat(
        "then tools",
        400,
        "registry.ollama.ai/library/plain:latest does not support tools",
        _PLAIN,
        _TOOLS,
        _WRONG_OPTION,
        _WRONG_FORMAT,
        _HELLO,
    ),
    _chat(
        "also without a message to use them for",
        400,
        "registry.ollama.ai/library/plain:latest does not support tools",
        _PLAIN,
        _TOOLS,
    ),
    _chat(
        "the refusal spells a name out",
        400,
        "registry.ollama.ai/acme/visitor:latest does not support tools",
        {"model": "acme/visitor"},
        _TOOLS,
    ),
    _chat("then the options", 500, OPTION, _PLAIN, _WRONG_OPTION, _WRONG_FORMAT, _HELLO),
    _chat("also without a message", 500, OPTION, _PLAIN, _WRONG_OPTION),
    post(
        "5",
        "without a message the format does not matter",
        "/api/chat",
        _joined((_PLAIN, _WRONG_FORMAT)),
        json=bare_chat("load"),
    ),
    _generate("logprobs before the model", 400, OUT_OF_RANGE, {"model": "bad name"}, _TOO_MANY, _PROMPT),
    _generate("the model before raw", 404, NO_MODEL, _UNKNOWN, _RAW, _PROMPT),
    _generate("raw before thinking", 400, CONFLICT, _PLAIN, _RAW, _THINKS, _PROMPT),
    _generate("thinking before insertion", 400, NO_THINKING, _PLAIN, _THINKS, _SUFFIX, _WRONG_OPTION, _PROMPT),
    _generate(
        "generating before insertion", 400, '"tiny-embed" does not support generate', _EMBEDDER, _SUFFIX, _PROMPT
    ),
    _generate(
        "insertion before options",
        400,
        "registry.ollama.ai/library/plain:latest does not support insert",
        _PLAIN,
        _SUFFIX,
        _WRONG_OPTION,
        _PROMPT,
    ),
    _generate("options before the format", 500, OPTION, _PLAIN, _WRONG_OPTION, _WRONG_FORMAT, _PROMPT),
    _generate("generating is refused without a prompt, too", 400, '"tiny-embed" does not support generate', _EMBEDDER),
)

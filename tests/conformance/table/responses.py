"""OpenAI's Responses and Anthropic's Messages (sections 8.6 and 9)."""

from __future__ import annotations

from typing import Any

from conformance.row import SSE, Many, Row, anthropic_error, openai_error, post
from conformance.table.chat import HELLO, OSLO
from support.shapes import ANYTHING, NATURAL, POSITIVE, TEXT, mapping, matching

RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
USER = [{"role": "user", "content": "Hello"}]
JSON_OF_ANY_KIND = matching("application/json.*")

NATIVE = (
    "/v1/responses requests that need LM Studio's own state or tools (`previous_response_id`, MCP) "
    "go to LM Studio 0.4's route, and the answer is completed. All others are answered over chat "
    "completions."
)
NO_EFFORT = (
    "A reasoning effort on /v1/ is left out for a model that cannot think, with a line in the debug log; Ollama"
    " rejects it except on /v1/messages. Agents send it to every model."
)
TOOLS = (
    "Tools on /v1/ reach every model: LM Studio describes them to models that were not trained for them. Ollama "
    "rejects them, as /api/chat does here."
)
ESTIMATE = (
    "`message_start` of a streamed /v1/messages answer has an estimate of the input tokens: LM "
    "Studio reports them at the end."
)

PARTS = (
    "Thinking that is streamed on /v1/responses has the events of its part, which Ollama leaves out: openai-node 7 "
    "fails without them."
)
ITEMS = (
    "Items of /v1/responses that only OpenAI's servers can read are left out, and its other tools and messages between "
    "agents are translated; Ollama rejects them as unknown."
)
SIGNATURE = "Thinking on /v1/messages has an empty `signature`, which Ollama leaves out: the AI SDK fails without it."


def respond(name: str, body: dict[str, Any], shape: Any = ..., **more: Any) -> Row:
    """Make a row of a cold response."""
    asked = {"model": "tiny-chat", "temperature": 0, **body}
    return post("8.6", name, RESPONSES, asked, json=shape, **{"type": JSON_OF_ANY_KIND, **more})


def message(name: str, body: dict[str, Any], shape: Any = ..., **more: Any) -> Row:
    """Make a row of a cold message."""
    asked = {"model": "tiny-chat", "max_tokens": 50, "temperature": 0, "messages": USER, **body}
    return post("9", name, MESSAGES, asked, json=shape, **{"type": JSON_OF_ANY_KIND, **more})


def refused(name: str, body: dict[str, Any], status: int, text: Any, **more: Any) -> Row:
    """Make a row of a message that is refused."""
    return post("9", name, MESSAGES, body, **anthropic_error(status, text), **more)


_TEXT = mapping(
    ANYTHING,
    {"type": "message", "role": "assistant", "content": [mapping(ANYTHING, {"type": "output_text", "text": HELLO})]},
)
_TOOL = {
    "name": "get_weather",
    "description": "Get the current weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
_FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather of a city",
    "parameters": _TOOL["input_schema"],
}

ROWS = (
    respond(
        "a response",
        {"input": "Hello"},
        mapping(ANYTHING, {"object": "response", "status": "completed", "output": [_TEXT]}),
        differs=NATIVE,
    ),
    respond(
        "a streamed response with thinking",
        {"model": "tiny-think", "input": "Hello", "stream": True},
        type=SSE,
        events=[
            *((f"response.{name}", ANYTHING) for name in ("created", "in_progress", "output_item.added")),
            ("response.reasoning_summary_part.added", ANYTHING),
            Many(("response.reasoning_summary_text.delta", ANYTHING)),
            *((f"response.reasoning_summary_{name}.done", ANYTHING) for name in ("text", "part")),
            Many((matching("response.*"), ANYTHING)),
        ],
        differs=PARTS,
    ),
    respond(
        "a history that a model of OpenAI began",
        {"input": [{"type": "compaction", "encrypted_content": "gAAAA"}, *USER]},
        mapping(ANYTHING, {"status": "completed", "output": [_TEXT]}),
        differs=ITEMS,
    ),
    respond(
        "an effort is left out for a model that cannot think",
        {"input": "Hello", "reasoning": {"effort": "high"}},
        mapping(ANYTHING, {"output": [_TEXT]}),
        differs=NO_EFFORT,
    ),
    respond("a response to messages", {"input": USER}, mapping(ANYTHING, {"output": [_TEXT]})),
    respond(
        "a function is called",
        {"input": OSLO, "tools": [_FUNCTION]},
        mapping(
            ANYTHING,
            {
                "output": [
                    mapping(
                        ANYTHING,
                        {
                            "type": "function_call",
                            "name": "get_weather",
                            "call_id": TEXT,
                            "arguments": matching(r'\{"city": ?"Oslo"\}'),
                        },
                    )
                ]
            },
        ),
    ),
    respond(
        "a response comes event by event",
        {"input": "Hello", "stream": True},
        type=SSE,
        events=[
            ("response.created", ANYTHING),
            Many((matching("response.*"), ANYTHING)),
            ("response.completed", ANYTHING),
        ],
    ),
    post(
        "8.6",
        "an embedding model does not respond",
        RESPONSES,
        {"model": "tiny-embed", "input": "x"},
        **openai_error(400, '"tiny-embed" does not support chat'),
    ),
    message(
        "a message",
        {},
        mapping(
            ANYTHING,
            {
                "type": "message",
                "role": "assistant",
                "stop_reason": "end_turn",
                "content": [mapping(ANYTHING, {"type": "text", "text": HELLO})],
                "usage": mapping(ANYTHING, {"input_tokens": POSITIVE, "output_tokens": POSITIVE}),
            },
        ),
        differs=ESTIMATE,
    ),
    message(
        "thinking",
        {"model": "tiny-think"},
        mapping(
            ANYTHING,
            {
                "content": [
                    mapping(ANYTHING, {"type": "thinking", "signature": ""}),
                    mapping(ANYTHING, {"type": "text", "text": HELLO}),
                ]
            },
        ),
        differs=SIGNATURE,
    ),
    message("a message with a query in its path is the same", {}, mapping(ANYTHING, {"type": "message"})),
    message(
        "a tool is used",
        {"messages": [{"role": "user", "content": OSLO}], "tools": [_TOOL]},
        mapping(
            ANYTHING,
            {
                "stop_reason": "tool_use",
                "content": [
                    mapping(
                        ANYTHING, {"type": "tool_use", "id": TEXT, "name": "get_weather", "input": {"city": "Oslo"}}
                    )
                ],
            },
        ),
    ),
    message(
        "a model that was not trained for tools gets them",
        {"model": "plain", "max_tokens": 2, "tools": [_TOOL]},
        mapping(ANYTHING, {"type": "message", "stop_reason": "max_tokens"}),
        differs=TOOLS,
    ),
    message(
        "a message comes event by event",
        {"stream": True},
        type=SSE,
        events=[
            ("message_start", ANYTHING),
            Many((matching("content_block_.*|ping"), ANYTHING)),
            ("message_delta", mapping(ANYTHING, {"delta": mapping(ANYTHING, {"stop_reason": "end_turn"})})),
            ("message_stop", ANYTHING),
        ],
    ),
    refused("a message needs a body", b"", 400, "EOF"),
    refused("a message needs a model first", {}, 400, "model is required"),
    refused("then a limit", {"model": "nope"}, 400, "max_tokens is required and must be positive"),
    refused(
        "a limit is more than nothing",
        {"model": "nope", "max_tokens": 0},
        400,
        "max_tokens is required and must be positive",
    ),
    refused("then messages", {"model": "nope", "max_tokens": 5}, 400, "messages is required"),
    refused(
        "an embedding model has nothing to say",
        {"model": "tiny-embed", "max_tokens": 5, "messages": USER},
        400,
        '"tiny-embed" does not support chat',
    ),
    post(
        "9",
        "tokens are counted",
        "/v1/messages/count_tokens",
        {"model": "tiny-chat", "messages": USER},
        json={"input_tokens": NATURAL},
        differs="/v1/messages/count_tokens exists; Ollama has no such route.",
    ),
)

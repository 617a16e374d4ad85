"""OpenAI's routes (section 8): errors as Ollama's, answers as LM Studio's."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from conformance.row import SSE, Many, Row, get, openai_error, post
from conformance.table.chat import HELLO, OSLO, RAIN, RED, WEATHER
from support.shapes import ANYTHING, NATURAL, POSITIVE, TEXT, Shape, every, mapping, matching, one_of, unit_vector

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
USER = [{"role": "user", "content": "Hello"}]

PASSED_ON = (
    "/v1/chat/completions and /v1/completions return LM Studio's answers byte for byte, unless a tool call must be "
    "repaired, JSON is in the thinking, or a character is split over two events; schemas are treated as on /api/chat. "
    "The answers have longer `id`s, its own `system_fingerprint`, more keys (`stats`, `logprobs`), thinking "
    "as `reasoning_content`, tool calls in small pieces."
)
MODEL_NAME = "`model` in those answers is LM Studio's key, not the requested name."


def usage(value: Any) -> bool:
    """Tell whether these are counts that add up."""
    return value["total_tokens"] == value["prompt_tokens"] + value["completion_tokens"]


USAGE = Shape("counts that add up", usage)


def chat(name: str, body: dict[str, Any], shape: Any = ..., **more: Any) -> Row:
    """Make a row of a cold chat."""
    asked = {"model": "tiny-chat", "messages": USER, "temperature": 0, **body}
    return post(
        "8.2",
        name,
        CHAT,
        asked,
        json=shape,
        **{"type": one_of("application/json", matching("application/json.*")), **more},
    )


def refused(name: str, body: dict[str, Any], status: int, text: Any, path: str = CHAT, **more: Any) -> Row:
    """Make a row of a request that is refused."""
    section = {CHAT: "8.2", COMPLETIONS: "8.3", EMBEDDINGS: "8.4"}[path]
    return post(
        section,
        name,
        path,
        {"model": "plain", **({"messages": USER} if path == CHAT else {}), **body},
        **openai_error(status, text),
        **more,
    )


def choice(message: Any, finish: str = "stop") -> Any:
    """Describe an answer by its only choice."""
    return mapping(
        ANYTHING,
        {
            "object": "chat.completion",
            "created": POSITIVE,
            "usage": USAGE,
            "choices": [mapping(ANYTHING, {"index": 0, "message": message, "finish_reason": finish})],
        },
    )


def _chunk(delta: Any, finish: Any = None) -> Any:
    return mapping(
        ANYTHING,
        {
            "object": "chat.completion.chunk",
            "created": POSITIVE,
            "choices": [mapping(ANYTHING, {"index": 0, "delta": delta, "finish_reason": finish})],
        },
    )


_IN_OSLO = {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
_CALL = {
    "type": "function",
    "id": TEXT,
    "function": {"name": "get_weather", "arguments": matching(r'\{"city": ?"Oslo"\}')},
}
CALLED = mapping(ANYTHING, {"tool_calls": [mapping(ANYTHING, _CALL)]})
REASONING = (
    'invalid reasoning value: "bogus" (must be "minimal", "low", "medium", "high", "xhigh", "ultra", "max", or "none")'
)


def _is_unit_base64(value: Any) -> bool:
    numbers = struct.unpack("<64f", base64.b64decode(value))
    return math.isclose(math.hypot(*numbers), 1, abs_tol=1e-3)


BASE64 = Shape("a unit vector in base64", _is_unit_base64)


def embeddings(name: str, body: dict[str, Any], vectors: list[Any], **more: Any) -> Row:
    """Make a row of embeddings that come."""
    data = [
        mapping(ANYTHING, {"object": "embedding", "embedding": vector, "index": i}) for i, vector in enumerate(vectors)
    ]
    shape = mapping(
        ANYTHING, {"object": "list", "data": data, "usage": {"prompt_tokens": NATURAL, "total_tokens": NATURAL}}
    )
    return post(
        "8.4",
        name,
        EMBEDDINGS,
        {"model": "tiny-embed", **body},
        json=shape,
        type=matching("application/json.*"),
        **more,
    )


VECTOR = unit_vector(64)

ROWS = (
    *(
        post("8.1", f"{path} needs a body", path, **openai_error(400, "EOF"))
        for path in (CHAT, COMPLETIONS, EMBEDDINGS, "/v1/responses")
    ),
    *(
        post(
            "8.1",
            f"{path} cannot read a letter",
            path,
            b"x",
            **openai_error(400, "invalid character 'x' looking for beginning of value"),
        )
        for path in (CHAT, COMPLETIONS, EMBEDDINGS, "/v1/responses")
    ),
    post(
        "8.1",
        "a content type does not matter here either",
        CHAT,
        {"model": "plain"},
        headers={"Content-Type": "text/plain"},
        **openai_error(400, "[] is too short - 'messages'"),
    ),
    refused("a chat needs messages", {"messages": None}, 400, "[] is too short - 'messages'"),
    refused(
        "fields in capital letters are no fields",
        {"messages": None, "Messages": USER},
        400,
        "[] is too short - 'messages'",
        differs="Field names on /v1/ are case-sensitive; Ollama ignores their case.",
    ),
    refused("a chat needs one message", {"messages": []}, 400, "[] is too short - 'messages'"),
    refused("no such effort", {"reasoning_effort": "bogus"}, 400, REASONING),
    refused("no such effort in the other place", {"reasoning": {"effort": "bogus"}}, 400, REASONING),
    refused(
        "a picture has to be sent",
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://localhost/y.png"}}]}
            ]
        },
        400,
        TEXT,
        differs=(
            "Invalid messages, tools and types on /v1/chat/completions are reported with LM Studio's text, "
            "with the same status 400 and OpenAI's envelope."
        ),
    ),
    refused(
        "a content is text or parts",
        {"messages": [{"role": "user", "content": 5}]},
        400,
        TEXT,
        differs=(
            "Invalid messages, tools and types on /v1/chat/completions are reported with LM Studio's text, "
            "with the same status 400 and OpenAI's envelope."
        ),
    ),
    refused("an embedding model does not chat", {"model": "tiny-embed"}, 400, '"tiny-embed" does not support chat'),
    refused(
        "an embedding model does not generate",
        {"model": "tiny-embed", "prompt": "x"},
        400,
        '"tiny-embed" does not support generate',
        COMPLETIONS,
    ),
    chat("a chat", {}, choice(mapping(ANYTHING, {"role": "assistant", "content": HELLO})), differs=PASSED_ON),
    chat(
        "the name that was asked for is not repeated",
        {"model": "TINY-CHAT:latest"},
        mapping(ANYTHING, {"model": "tiny-chat"}),
        differs=MODEL_NAME,
    ),
    chat(
        "a chat of parts",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        choice(mapping(ANYTHING, {"content": HELLO})),
    ),
    chat(
        "a picture",
        {
            "model": "tiny-vision",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What colour is the picture?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{RED}"}},
                    ],
                }
            ],
        },
        choice(mapping(ANYTHING, {"content": "The picture is red."})),
    ),
    chat(
        "a picture without its object",
        {
            "model": "tiny-vision",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What colour is the picture?"},
                        {"type": "image_url", "image_url": f"data:image/png;base64,{RED}"},
                    ],
                }
            ],
        },
        choice(mapping(ANYTHING, {"content": "The picture is red."})),
    ),
    chat(
        "any JSON",
        {"response_format": {"type": "json_object"}},
        choice(mapping(ANYTHING, {"content": matching(r"\s*\{.*\}\s*")})),
    ),
    chat(
        "a tool is called",
        {"messages": [{"role": "user", "content": OSLO}], "tools": [WEATHER]},
        choice(CALLED, "tool_calls"),
    ),
    chat(
        "a tool is chosen",
        {
            "messages": [{"role": "user", "content": OSLO}],
            "tools": [WEATHER],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        },
        choice(CALLED, "tool_calls"),
        differs="`tool_choice` and `max_completion_tokens` have an effect; Ollama ignores them.",
    ),
    chat(
        "a result is understood",
        {
            "tools": [WEATHER],
            "messages": [
                {"role": "user", "content": OSLO},
                {"role": "assistant", "content": None, "tool_calls": [_IN_OSLO]},
                {"role": "tool", "tool_call_id": "a", "content": RAIN},
            ],
        },
        choice(mapping(ANYTHING, {"content": "It is 17 degrees and rainy in Oslo."})),
    ),
    chat(
        "an answer is cut",
        {"max_tokens": 3, "messages": [{"role": "user", "content": "Tell me a long story."}]},
        choice(ANYTHING, "length"),
    ),
    chat(
        "an answer is cut by the newer name",
        {"max_completion_tokens": 3},
        choice(ANYTHING, "length"),
        differs="`tool_choice` and `max_completion_tokens` have an effect; Ollama ignores them.",
    ),
    chat(
        "a model keeps its own warmth",
        {},
        ANYTHING,
        differs=(
            "Nothing is added to OpenAI requests: without `temperature` and `top_p` LM Studio's presets "
            "apply, where Ollama uses 1.0."
        ),
    ),
    chat(
        "options of Ollama's do no harm",
        {
            "options": {"num_ctx": 8192},
            "keep_alive": "5m",
            "user": "x",
            "n": 1,
            "parallel_tool_calls": False,
            "store": False,
        },
        choice(ANYTHING),
    ),
    chat(
        "a chat comes event by event",
        {"stream": True},
        type=SSE,
        events=[Many(_chunk(mapping(ANYTHING))), _chunk(mapping(ANYTHING), "stop"), "[DONE]"],
    ),
    chat(
        "counts come last",
        {"stream": True, "stream_options": {"include_usage": True}},
        type=SSE,
        events=[
            Many(_chunk(mapping(ANYTHING))),
            _chunk(mapping(ANYTHING), "stop"),
            mapping(ANYTHING, {"choices": [], "usage": USAGE}),
            "[DONE]",
        ],
    ),
    chat(
        "thinking has its field",
        {"model": "tiny-think"},
        choice(mapping(ANYTHING, {"content": HELLO, "reasoning_content": TEXT})),
        differs="Thinking is in `reasoning_content`, as LM Studio calls it; Ollama calls it `reasoning`.",
    ),
    chat(
        "thinking can be switched off",
        {"model": "tiny-think", "reasoning_effort": "none"},
        choice(mapping(ANYTHING, {"content": HELLO})),
    ),
    refused(
        "a stop word is text", {"prompt": "x", "stop": [1]}, 400, "invalid type for 'stop' field: float64", COMPLETIONS
    ),
    refused(
        "a prompt is one text",
        {"prompt": ["a"]},
        400,
        TEXT,
        COMPLETIONS,
        differs=(
            "Invalid messages, tools and types on /v1/chat/completions are reported with LM Studio's text, "
            "with the same status 400 and OpenAI's envelope."
        ),
    ),
    post(
        "8.3",
        "a completion",
        COMPLETIONS,
        {"model": "plain", "prompt": "The capital of France is", "max_tokens": 3},
        type=matching("application/json.*"),
        json=mapping(
            ANYTHING,
            {
                "object": "text_completion",
                "usage": USAGE,
                "choices": [mapping(ANYTHING, {"index": 0, "text": ANYTHING})],
            },
        ),
        differs="/v1/completions continues the prompt as it is; Ollama applies the chat template first.",
    ),
    embeddings("a text", {"input": "hello world"}, [VECTOR]),
    embeddings("several texts", {"input": ["a", "b"]}, [VECTOR] * 2),
    embeddings("an empty text is one", {"input": ""}, [ANYTHING]),
    embeddings("vectors in base64", {"input": ["a", "b"], "encoding_format": "base64"}, [BASE64] * 2),
    embeddings("formats have no case", {"input": "a", "encoding_format": "FLOAT"}, [VECTOR]),
    embeddings("vectors are cut", {"input": "a", "dimensions": 8}, [unit_vector(8)]),
    refused(
        "no such format",
        {"model": "tiny-embed", "input": "x", "encoding_format": "hex"},
        400,
        "Invalid value for 'encoding_format' = hex. Supported values: ['float', 'base64'].",
        EMBEDDINGS,
    ),
    *(
        refused(f"{words} is nothing to embed", {"model": "tiny-embed", **body}, 400, "invalid input", EMBEDDINGS)
        for words, body in (("nothing", {}), ("null", {"input": None}), ("no text", {"input": []}))
    ),
    refused("numbers are no texts", {"model": "tiny-embed", "input": [1, 2]}, 400, "invalid input type", EMBEDDINGS),
    get(
        "8.5",
        "the list",
        "/v1/models",
        type=matching("application/json.*"),
        json=mapping(
            ANYTHING,
            {
                "object": "list",
                "data": every(mapping(ANYTHING, {"id": TEXT, "object": "model", "created": POSITIVE}), 6),
            },
        ),
        differs=(
            "/v1/models is LM Studio's list: keys without tags, its `owned_by`; `created` is when "
            "this server first saw the model. Names made here follow at the end."
        ),
    ),
    get(
        "8.5",
        "one model",
        "/v1/models/plain",
        json={"id": "plain", "object": "model", "created": POSITIVE, "owned_by": TEXT},
    ),
    get(
        "8.5",
        "one model whose name has a slash",
        "/v1/models/acme/visitor",
        json={"id": "acme/visitor", "object": "model", "created": POSITIVE, "owned_by": "acme"},
        differs="/v1/models/{id} accepts ids with slashes, as LM Studio's have; Ollama's does not.",
    ),
    *(
        post(
            "8.7",
            f"a sound that {words} is not taken",
            "/v1/audio/transcriptions",
            body,
            headers=headers,
            **openai_error(400, text),
        )
        for words, body, headers, text in (
            ("is no form", b"", {}, "failed to parse multipart form: request Content-Type isn't multipart/form-data"),
            (
                "has no model",
                b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\nplain\r\n--B--\r\n',
                {"Content-Type": "multipart/form-data; boundary=B"},
                "model is required",
            ),
            (
                "is not there",
                b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nplain\r\n--B--\r\n',
                {"Content-Type": "multipart/form-data; boundary=B"},
                "file is required: http: no such file",
            ),
        )
    ),
    post(
        "8.7",
        "a sound is not heard",
        "/v1/audio/transcriptions",
        b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nplain\r\n--B\r\nContent-Disposition: form-data;'
        b' name="file"; filename="a.wav"\r\n\r\nRIFFxxxx\r\n--B--\r\n',
        headers={"Content-Type": "multipart/form-data; boundary=B"},
        **openai_error(501, TEXT),
        differs="Audio is not transcribed (501): LM Studio has no route for it.",
    ),
    *(
        post("8.7", f"speech from {words} is refused", "/v1/audio/speech", body, **openai_error(400, text))
        for words, body, text in (
            ("nothing", b"", "EOF"),
            ("no model", {"input": "Hello", "voice": "af_heart"}, "model is required"),
        )
    ),
    post(
        "8.7",
        "nothing is spoken",
        "/v1/audio/speech",
        {"model": "plain", "input": "Hello", "voice": "af_heart"},
        **openai_error(501, TEXT),
        differs="Text is not spoken (501): LM Studio has no route for it.",
    ),
)

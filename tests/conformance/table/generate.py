"""POST /api/generate (section 7.5)."""

from __future__ import annotations

from typing import Any

from conformance.row import NDJSON, Many, Row, error, post
from conformance.table.records import (
    GENERATE_CHUNK,
    GENERATE_DONE,
    GENERATE_WHOLE,
    STOPPED,
    bare_generate,
    generate_chunk,
    generate_done,
    raw_done,
    thinking_chunk,
)
from support.shapes import ANYTHING, STRING, TEXT, every, mapping, matching

HELLO = "Hello! How can I help you today?"
PATH = "/api/generate"


def whole(name: str, body: dict[str, Any], shape: Any, **more: Any) -> Row:
    """Make a row of an answer that comes in one object; what is known by heart is asked coldly."""
    return post(
        "7.5",
        name,
        PATH,
        {"model": "plain", "stream": False, "options": {"temperature": 0}, **body},
        json=shape,
        **more,
    )


def refused(name: str, body: dict[str, Any], status: int, text: Any, **more: Any) -> Row:
    """Make a row of a request that is refused."""
    return post("7.5", name, PATH, {"model": "plain", **body}, **error(status, text), **more)


_LOADS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("without a prompt", {}),
    ("with an empty prompt", {"prompt": ""}),
    ("with a null prompt", {"prompt": None}),
    ("that is to stream", {"prompt": "", "stream": True}),
    ("that is not to stream", {"stream": False}),
    ("with a picture", {"images": ["AAAA"]}),
    ("for an hour and a half", {"keep_alive": "1h30m"}),
)

_INSERT = {"model": "tiny-chat", "prompt": "def mul(a, b):\n    return ", "suffix": "\n"}

ROWS = (
    *(
        post("7.5", f"a request {words} loads", PATH, {"model": "plain", **body}, json=bare_generate("load"))
        for words, body in _LOADS
    ),
    *(
        post(
            "7.5",
            f"keep_alive {value!r} without a prompt{words} unloads",
            PATH,
            {"model": "plain", "keep_alive": value, **more},
            json=bare_generate("unload"),
        )
        for value in (0, "0s")
        for words, more in (("", {}), (", streaming,", {"stream": True}))
    ),
    post(
        "7.5",
        "unloading what is not loaded is no fault",
        PATH,
        {"model": "acme/visitor", "keep_alive": 0},
        json=bare_generate("unload", "acme/visitor"),
    ),
    post(
        "7.5",
        "an answer comes line by line",
        PATH,
        {"model": "plain", "prompt": "Hello"},
        type=NDJSON,
        lines=[Many(GENERATE_CHUNK, 2), GENERATE_DONE],
    ),
    post(
        "7.5",
        "an answer comes at once",
        PATH,
        {"model": "plain", "prompt": "Hello", "stream": False},
        json=GENERATE_WHOLE,
    ),
    whole("the answer is the model's", {"prompt": "Hello"}, generate_done(HELLO, reason="stop")),
    whole(
        "the system text reaches the model",
        {"prompt": "Who are you?", "system": "You are Rumpel."},
        mapping(ANYTHING, {"response": matching("I am Rumpel.*")}),
    ),
    whole(
        "an answer that is cut says so",
        {"prompt": "Tell me a long story.", "options": {"num_predict": 5}},
        generate_done(TEXT, reason="length"),
    ),
    post(
        "7.5",
        "a stream that is cut says so",
        PATH,
        {"model": "plain", "prompt": "Tell me a long story.", "options": {"num_predict": 5}},
        type=NDJSON,
        lines=[Many(GENERATE_CHUNK), generate_done(reason="length")],
    ),
    post(
        "7.5",
        "thinking comes apart from the answer",
        PATH,
        {"model": "tiny-think", "prompt": "Hello"},
        type=NDJSON,
        lines=[Many(thinking_chunk()), Many(generate_chunk("tiny-think")), generate_done(model="tiny-think")],
    ),
    whole(
        "thinking has a field of its own",
        {"model": "tiny-think", "prompt": "Hello"},
        generate_done(HELLO, "tiny-think", more={"thinking": TEXT}),
    ),
    whole(
        "thinking can be switched off",
        {"model": "tiny-think", "prompt": "Hello", "think": False},
        generate_done(HELLO, "tiny-think"),
    ),
    whole(
        "a raw prompt is no chat",
        {"prompt": "The capital of France is", "raw": True, "options": {"num_predict": 4}},
        raw_done(STRING),
    ),
    *(
        refused(
            f"a raw prompt has no {field}",
            {"prompt": "x", "raw": True, field: value},
            400,
            "raw mode does not support template, system, or context",
        )
        for field, value in (("system", "x"), ("template", "x"), ("context", [1]))
    ),
    whole(
        "a raw prompt may have those fields empty",
        {"prompt": "x", "raw": True, "system": "", "template": "", "context": [], "options": {"num_predict": 4}},
        raw_done(STRING),
    ),
    refused(
        "plain cannot fill in",
        {"prompt": "x", "suffix": "y"},
        400,
        "registry.ollama.ai/library/plain:latest does not support insert",
    ),
    whole(
        "a model that can fill in does",
        {**_INSERT, "options": {"num_predict": 8}},
        generate_done(STRING, "tiny-chat", reason=STOPPED),
    ),
    whole("an empty suffix asks for nothing", {"prompt": "Hello", "suffix": ""}, GENERATE_WHOLE),
    refused(
        "an embedding model does not generate",
        {"model": "tiny-embed", "prompt": "x"},
        400,
        '"tiny-embed" does not support generate',
    ),
    whole(
        "a template of placeholders is filled in",
        {"prompt": "Hello", "template": "{{ .System }}{{ .Prompt }}", "options": {"num_predict": 4}},
        ANYTHING,
    ),
    refused(
        "a template with logic is not",
        {"prompt": "Hello", "template": "{{ if .System }}x{{ end }}{{ .Prompt }}"},
        501,
        TEXT,
        differs=(
            "A `template` works only if it consists of placeholders; one with logic gets 501. LM Studio "
            "accepts a finished prompt or applies the model's own template."
        ),
    ),
    refused(
        "a template that does not end", {"prompt": "Hello", "template": "{{ .Bad"}, 500, "template: :1: unclosed action"
    ),
    whole(
        "empty fields of the command line do no harm",
        {"prompt": "Hello", "suffix": "", "system": "", "template": "", "options": {}, "images": []},
        GENERATE_WHOLE,
    ),
    whole(
        "a context from elsewhere is left out",
        {"prompt": "Hello", "context": [1, 2, 3]},
        generate_done(HELLO),
        differs=(
            "`context` contains the turns so far in a form that only the shim reads. One from another server"
            " is ignored with a warning in the log: its token ids cannot be decoded here."
        ),
    ),
    whole("the context is numbers", {"prompt": "Hello"}, mapping(ANYTHING, {"context": every(ANYTHING, 2)})),
    whole(
        "what would be sent is not shown",
        {"prompt": "Hello", "_debug_render_only": True},
        GENERATE_WHOLE,
        differs="`_debug_render_only` has no effect: LM Studio applies the template and does not return the prompt.",
    ),
    whole(
        "a generation of a schema",
        {"model": "tiny-chat", "prompt": "Give me a person as JSON", "format": "json"},
        mapping(ANYTHING, {"response": TEXT}),
    ),
    refused(
        "no such format",
        {"prompt": "hi", "format": "bogus"},
        500,
        'invalid format: "\\"bogus\\""; expected "json" or a valid JSON Schema object',
    ),
)

"""Fields that several requests share: options, keep_alive, format, think, images, logprobs (section 4)."""

from __future__ import annotations

import json
from typing import Any

from conformance.row import NDJSON, Many, Row, error, post
from conformance.table.records import CHAT_CHUNK, CHAT_DONE, CHAT_WHOLE, GENERATE_WHOLE, LOADED_CHAT, UNLOADED_CHAT
from support.shapes import ANYTHING, INT, STRING, TEXT, Shape, fault_in, mapping, matching

HELLO = [{"role": "user", "content": "Hello"}]


def chat(section: str, name: str, body: dict[str, Any], **more: Any) -> Row:
    """Make a row of a chat that is not streamed, unless ``body`` says so."""
    return post(section, name, "/api/chat", {"model": "plain", "messages": HELLO, "stream": False, **body}, **more)


# A few values of each kind: those of tests/unit/translate/test_sampling_options.py and schemas/test_ollama_fields.py.
_WRONG_OPTIONS = (
    ("num_ctx", "x", "of type integer"),
    ("num_predict", True, "of type integer"),
    ("temperature", [], "of type float32"),
    ("use_mmap", 1, "of type boolean"),
    ("stop", "x", "of type array"),
    ("stop", [1], "of an array of strings"),
)
_UNKNOWN = ("numa", "mirostat", "numCtx", "bogus")
_KEEP_ALIVES = (
    ("abc", 'time: invalid duration "abc"'),
    ("5", 'time: missing unit in duration "5"'),
    ("-1", 'time: missing unit in duration "-1"'),
    (True, "Unsupported type: 'bool'"),
)
_LOADS = (-1, 0.5, 300, "5m", None)
_UNLOADS = (0, "0s")

_FORMATS: tuple[tuple[Any, str], ...] = (("yaml", r'"\"yaml\""'), (["a", 1], r'"[\"a\", 1]"'))

THINK_WORDS = "think must be a boolean or string"
THOUGHT = mapping(ANYTHING, {"message": {"role": "assistant", "content": TEXT, "thinking": TEXT}})

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
ADA = "Give me a person as JSON"

_BASE64 = (("data:image/png;base64,AAAA", 4), ("AAA", 0))


def _is_person(text: Any) -> bool:
    return fault_in(json.loads(text), {"name": STRING, "age": INT}) is None


JSON_PERSON = Shape("a person as JSON", _is_person)


def _answers(content: Any) -> Any:
    return mapping(ANYTHING, {"message": {"role": "assistant", "content": content}})


ROWS = (
    *(
        chat(
            "4.1",
            f"option {key} is not {value!r}",
            {"options": {key: value}},
            **error(500, f'option "{key}" must be {words}'),
        )
        for key, value, words in _WRONG_OPTIONS
    ),
    *(chat("4.1", f"option {key} has no effect", {"options": {key: 1}}, json=CHAT_WHOLE) for key in _UNKNOWN),
    chat("4.1", "options may be null", {"options": None}, json=CHAT_WHOLE),
    chat("4.1", "an option may be null", {"options": {"temperature": None, "stop": None}}, json=CHAT_WHOLE),
    chat(
        "4.1",
        "whole numbers are cut",
        {"options": {"seed": 1.9, "num_predict": 1.9, "num_ctx": 4096.0}},
        json=mapping(ANYTHING, {"done_reason": "length", "eval_count": 1}),
    ),
    chat(
        "4.1",
        "an answer ends after num_predict",
        {"options": {"num_predict": 3}},
        json=mapping(ANYTHING, {"done_reason": "length", "eval_count": 3}),
    ),
    chat(
        "4.1",
        "an answer ends before a stop word",
        {"messages": [{"role": "user", "content": "Count to 10"}], "options": {"stop": [" 5"], "temperature": 0}},
        json=mapping(ANYTHING, {"done_reason": "stop", "message": {"role": "assistant", "content": "1, 2, 3, 4,"}}),
    ),
    *(
        chat("4.2", f"keep_alive is not {value!r}", {"keep_alive": value}, **error(400, text))
        for value, text in _KEEP_ALIVES
    ),
    *(
        post(
            "4.2",
            f"keep_alive may be {value!r}",
            "/api/chat",
            {"model": "plain", "keep_alive": value},
            json=LOADED_CHAT,
        )
        for value in _LOADS
    ),
    *(
        post(
            "4.2",
            f"keep_alive {value!r} unloads",
            "/api/chat",
            {"model": "plain", "keep_alive": value},
            json=UNLOADED_CHAT,
        )
        for value in _UNLOADS
    ),
    *(
        post(
            "4.3",
            f"stream {words} is a stream",
            "/api/chat",
            {"model": "plain", "messages": HELLO, **stream},
            type=NDJSON,
            lines=[Many(CHAT_CHUNK), CHAT_DONE],
        )
        for words, stream in (("left out", {}), ("of null", {"stream": None}), ("of true", {"stream": True}))
    ),
    *(
        chat(
            "4.4",
            f"{format_!r} is no format",
            {"format": format_},
            **error(500, f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'),
        )
        for format_, quoted in _FORMATS
    ),
    *(chat("4.4", f"format {format_!r} is free text", {"format": format_}, json=CHAT_WHOLE) for format_ in (None, "")),
    chat(
        "4.4",
        "a schema shapes any answer",
        {"format": PERSON, "model": "tiny-chat", "options": {"temperature": 0}},
        json=_answers(JSON_PERSON),
    ),
    chat(
        "4.4",
        "a reference in a schema is resolved",
        {"format": {"$ref": "#/$defs/P", "$defs": {"P": PERSON}}, "model": "tiny-chat", "options": {"temperature": 0}},
        json=_answers(JSON_PERSON),
        differs=(
            "`format` is reduced to what LM Studio's engines can read: `$ref` is resolved unless it is recursive, and "
            "other keywords, most patterns and formats are left out. An answer that is not streamed is checked against "
            "the whole schema and requested once more if it does not match; then it is sent as it is."
        ),
    ),
    chat(
        "4.4",
        "json is any object",
        {"format": "json", "messages": [{"role": "user", "content": ADA}]},
        json=_answers(matching(r"\s*\{.*\}\s*")),
    ),
    chat(
        "4.4",
        "a schema shapes what comes after the thinking",
        {"format": PERSON, "model": "tiny-think", "messages": [{"role": "user", "content": ADA}]},
        json=mapping(ANYTHING, {"message": mapping(ANYTHING, {"content": JSON_PERSON})}),
    ),
    chat("4.5", "think may be any name", {"model": "tiny-think", "think": "bogus"}, json=THOUGHT),
    chat("4.5", "think is no number", {"think": 1}, **error(400, THINK_WORDS)),
    chat("4.5", "think is no object", {"think": {}}, **error(400, THINK_WORDS)),
    *(
        chat(
            "4.5", f"plain cannot think {think!r}", {"think": think}, **error(400, '"plain" does not support thinking')
        )
        for think in (True, "low", "medium", "high", "max", "bogus")
    ),
    chat(
        "4.5",
        "the refusal repeats the name as asked",
        {"model": "PLAIN:latest", "think": True},
        **error(400, '"PLAIN:latest" does not support thinking'),
    ),
    *(chat("4.5", f"plain accepts think {think!r}", {"think": think}, json=CHAT_WHOLE) for think in (False, None)),
    *(
        chat(
            "4.5",
            f"a model that thinks does so with {think!r}",
            {"model": "tiny-think", "think": think},
            json=THOUGHT,
        )
        for think in (None, True, "low", "high", "max")
    ),
    chat(
        "4.5",
        "a model that thinks may be kept from it",
        {"model": "tiny-think", "think": False},
        json=_answers("Hello! How can I help you today?"),
    ),
    *(
        chat(
            "4.6",
            f"{image:.12} is no image",
            {"messages": [{"role": "user", "content": "x", "images": [image]}]},
            **error(400, f"illegal base64 data at input byte {at}"),
        )
        for image, at in _BASE64
    ),
    chat(
        "4.7",
        "unknown logprobs are left out",
        {"logprobs": True, "top_logprobs": 2},
        json=CHAT_WHOLE,
        differs="`logprobs` are returned only if the backend returns them; LM Studio accepts and ignores the option.",
    ),
    chat("4.7", "no logprobs without a request", {"top_logprobs": 2}, json=CHAT_WHOLE),
    *(
        chat(
            "4.7",
            f"{count} top_logprobs are out of range, whatever the model",
            {"model": "", "top_logprobs": count},
            **error(400, "top_logprobs must be between 0 and 20"),
        )
        for count in (-1, 21)
    ),
    *(
        chat(
            "4.1",
            f"option {key} has no counterpart",
            {"options": {key: value}},
            json=CHAT_WHOLE,
            differs=(
                "`typical_p`, `repeat_last_n`, `num_keep` and `draft_num_predict` have no effect: LM Studio has "
                "no such options."
            ),
        )
        for key, value in (("typical_p", 0.5), ("repeat_last_n", 1), ("num_keep", 1), ("draft_num_predict", 1))
    ),
    *(
        post(
            "4.8",
            f"truncate and shift of {fields['truncate']} have no effect on {path}",
            path,
            {"model": "plain", "stream": False, **body, **fields},
            json=shape,
            differs=(
                "`truncate` and `shift` have no effect on chat and generate: LM Studio's settings decide about "
                "long conversations, and by default it removes their middle. A prompt that it rejects is a 400 with "
                "Ollama's text and the numbers."
            ),
        )
        for path, body, shape in (
            ("/api/chat", {"messages": HELLO}, CHAT_WHOLE),
            ("/api/generate", {"prompt": "Hello"}, GENERATE_WHOLE),
        )
        for fields in ({"truncate": False, "shift": False}, {"truncate": None, "shift": True})
    ),
)

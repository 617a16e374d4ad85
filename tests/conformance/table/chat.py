"""POST /api/chat with a real engine (section 7.6)."""

from __future__ import annotations

import base64
import io
from typing import Any

from conformance.row import NDJSON, Many, Row, error, post
from conformance.table.records import CHAT_CHUNK, CHAT_DONE, CHAT_WHOLE, bare_chat, chat_chunk, chat_done
from PIL import Image
from support.shapes import ANYTHING, TEXT, every, mapping, matching, one_of

PATH = "/api/chat"
HELLO = "Hello! How can I help you today?"

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "city name"}},
            "required": ["city"],
        },
    },
}
OSLO = "What is the weather in Oslo?"
IN_OSLO = {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
RAIN = '{"temperature": 17, "sky": "rainy"}'


def user(text: str, **more: Any) -> dict[str, Any]:
    """Make a message."""
    return {"role": "user", "content": text, **more}


def call(city: str, index: int = 0) -> dict[str, Any]:
    """Describe a call of the weather."""
    return {"id": TEXT, "function": {"index": index, "name": "get_weather", "arguments": {"city": city}}}


def whole(name: str, messages: list[Any], shape: Any, model: str = "tiny-chat", **more: Any) -> Row:
    """Make a row of a cold chat that comes in one object."""
    body = {
        "model": model,
        "messages": messages,
        "stream": False,
        "options": {"temperature": 0},
        **more.pop("body", {}),
    }
    return post("7.6", name, PATH, body, json=shape, **more)


def answers(content: Any) -> Any:
    """Describe an answer by its text only."""
    return mapping(ANYTHING, {"message": {"role": "assistant", "content": content}, "done_reason": "stop"})


def refused(name: str, body: dict[str, Any], status: int, text: Any) -> Row:
    """Make a row of a request that is refused."""
    return post("7.6", name, PATH, {"model": "tiny-chat", **body}, **error(status, text))


def _with_calls(calls: Any) -> dict[str, Any]:
    asked = {"role": "assistant", "content": "", "tool_calls": calls}
    return {"messages": [user("hi"), asked, {"role": "tool", "content": "x"}], "stream": False}


def picture(colour: str) -> str:
    """Draw a picture of one colour, in base64."""
    drawn = io.BytesIO()
    Image.new("RGB", (56, 56), colour).save(drawn, "PNG")
    return base64.b64encode(drawn.getvalue()).decode()


RED = picture("red")
NO_OBJECT = "Value looks like object, but can't find closing '}' symbol"
WEATHER_TOLD = answers("It is 17 degrees and rainy in Oslo.")

_LOADS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("without messages", {}),
    ("with null for messages", {"messages": None}),
    ("with no message", {"messages": []}),
    ("that is to stream", {"messages": [], "stream": True}),
    ("that is not to stream", {"stream": False}),
    ("kept without a limit", {"keep_alive": -1}),
)

_HISTORIES: tuple[tuple[str, Any, Any], ...] = (
    (
        "with ids on both sides",
        [{"id": "x", "type": "function", **IN_OSLO}],
        {"tool_name": "get_weather", "tool_call_id": "x"},
    ),
    ("without ids", [IN_OSLO], {"tool_name": "get_weather"}),
    ("without ids and names", [IN_OSLO], {}),
    ("with the name an old client gives", [IN_OSLO], {"name": "get_weather"}),
    ("with an index", [{"function": {"index": 0, **IN_OSLO["function"]}}], {}),
)

ROWS = (
    *(
        post("7.6", f"a chat {words} loads", PATH, {"model": "plain", **body}, json=bare_chat("load"))
        for words, body in _LOADS
    ),
    *(
        post(
            "7.6",
            f"keep_alive {value!r} {words} unloads",
            PATH,
            {"model": "plain", "keep_alive": value, **more},
            json=bare_chat("unload"),
        )
        for value in (0, "0s")
        for words, more in (("alone", {}), ("in a stream", {"stream": True}), ("with no message", {"messages": []}))
    ),
    post(
        "7.6",
        "a chat comes line by line",
        PATH,
        {"model": "plain", "messages": [user("Hello")]},
        type=NDJSON,
        lines=[Many(CHAT_CHUNK, 2), CHAT_DONE],
    ),
    post(
        "7.6",
        "a chat comes at once",
        PATH,
        {"model": "plain", "messages": [user("Hello")], "stream": False},
        json=CHAT_WHOLE,
    ),
    whole(
        "the answer is the model's",
        [user("Hello")],
        chat_done({"role": "assistant", "content": HELLO}, "tiny-chat", "stop"),
    ),
    whole("characters of many bytes arrive whole", [user("Say hello in Japanese")], answers("こんにちは! 🌸")),
    whole(
        "the system message reaches the model",
        [{"role": "system", "content": "You are Rumpel."}, user("Who are you?")],
        answers(matching("I am Rumpel.*")),
    ),
    whole(
        "what was said before reaches the model",
        [user("My name is Rumpel."), {"role": "assistant", "content": "Hello Rumpel!"}, user("What is my name?")],
        answers(matching(".*Rumpel.*")),
    ),
    whole(
        "a picture reaches the model",
        [user("What colour is the picture?", images=[RED])],
        answers("The picture is red."),
        "tiny-vision",
    ),
    post(
        "7.6",
        "thinking comes first",
        PATH,
        {"model": "tiny-think", "messages": [user("Hello")]},
        type=NDJSON,
        lines=[
            Many(chat_chunk({"role": "assistant", "content": "", "thinking": TEXT}, "tiny-think")),
            Many(chat_chunk(model="tiny-think")),
            chat_done(model="tiny-think"),
        ],
    ),
    whole(
        "a tool is called",
        [user(OSLO)],
        chat_done({"role": "assistant", "content": "", "tool_calls": [call("Oslo")]}, "tiny-chat", "stop"),
        body={"tools": [WEATHER]},
    ),
    whole(
        "two tools are called",
        [user("What is the weather in Rome and Cairo?")],
        chat_done(
            {"role": "assistant", "content": "", "tool_calls": [call("Rome"), call("Cairo", 1)]}, "tiny-chat", "stop"
        ),
        body={"tools": [WEATHER]},
    ),
    post(
        "7.6",
        "a call comes in a line of its own",
        PATH,
        {"model": "tiny-chat", "messages": [user(OSLO)], "tools": [WEATHER], "options": {"temperature": 0}},
        type=NDJSON,
        lines=[
            chat_chunk({"role": "assistant", "content": "", "tool_calls": [call("Oslo")]}, "tiny-chat"),
            chat_done(model="tiny-chat", reason="stop"),
        ],
    ),
    post(
        "7.6",
        "a model that thinks calls tools after it",
        PATH,
        {"model": "tiny-think", "messages": [user(OSLO)], "tools": [WEATHER], "options": {"temperature": 0}},
        type=NDJSON,
        lines=[
            Many(chat_chunk({"role": "assistant", "content": "", "thinking": TEXT}, "tiny-think")),
            chat_chunk({"role": "assistant", "content": "", "tool_calls": [call("Oslo")]}, "tiny-think"),
            chat_done(model="tiny-think", reason="stop"),
        ],
    ),
    *(
        whole(
            f"the result of a tool is understood {words}",
            [user(OSLO), {"role": "assistant", "tool_calls": calls}, {"role": "tool", "content": RAIN, **names}],
            WEATHER_TOLD,
            body={"tools": [WEATHER]},
        )
        for words, calls, names in _HISTORIES
    ),
    whole(
        "roles have no case",
        [user(OSLO), {"role": "ASSISTANT", "content": "", "tool_calls": [IN_OSLO]}, {"role": "TOOL", "content": RAIN}],
        WEATHER_TOLD,
        body={"tools": [WEATHER]},
    ),
    *(
        refused(
            f"arguments of a call are no {kind}",
            _with_calls([{"function": {"name": "f", "arguments": value}}]),
            400,
            NO_OBJECT,
        )
        for kind, value in (("text", '{"a":1}'), ("list", [1]))
    ),
    *(
        post(
            "7.6",
            f"a call may have {words} for arguments",
            PATH,
            {"model": "tiny-chat", **_with_calls([{"function": function}])},
            json=ANYTHING,
        )
        for words, function in (("null", {"name": "f", "arguments": None}), ("nothing", {"name": "f"}))
    ),
    *(
        post(
            "7.6",
            f"a message with {words} is answered",
            PATH,
            {"model": "plain", "messages": [message], "stream": False, "options": {"num_predict": 3}},
            json=CHAT_WHOLE,
        )
        for words, message in (
            ("no role", {"content": "hi"}),
            ("an unknown role", {"role": "weird", "content": "hi"}),
            ("null for content", {"role": "user", "content": None}),
            ("no content", {"role": "user"}),
            ("nothing at all", None),
            ("the role of a developer", {"role": "developer", "content": "hi"}),
        )
    ),
    *(
        whole(f"tools may be {words}", [user("Hello")], answers(HELLO), body={"tools": tools})
        for words, tools in (("null", None), ("none", []))
    ),
    *(
        whole(f"a tool may {words}", [user("Hello")], mapping(ANYTHING, {"done": True}), body={"tools": [tool]})
        for words, tool in (
            ("have no function", {"type": "function"}),
            ("have no parameters", {"type": "function", "function": {"name": "f"}}),
            (
                "take several types",
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {
                            "type": "object",
                            "properties": {"city": {"type": ["string", "null"], "default": "x"}},
                            "additionalProperties": False,
                        },
                    },
                },
            ),
            (
                "refer to definitions",
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {
                            "type": "object",
                            "properties": {"c": {"$ref": "#/$defs/X"}},
                            "$defs": {"X": {"type": "string"}},
                        },
                    },
                },
            ),
            (
                "leave out the type of its parameters",
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
                    },
                },
            ),
        )
    ),
    whole(
        "fields of other routes are not read",
        [user("Hello")],
        answers(HELLO),
        body={"tool_choice": "required", "system": "x", "template": "x", "raw": True, "prompt": "x"},
    ),
    whole("a chat may unload its model behind it", [user("Hello")], answers(HELLO), body={"keep_alive": 0}),
    whole("what would be sent is not shown", [user("Hello")], answers(HELLO), body={"_debug_render_only": True}),
    whole(
        "a long chat ends with its context",
        [user("x " * 800)],
        mapping(ANYTHING, {"done": True}),
        body={"options": {"num_predict": 2, "num_ctx": 8192}},
    ),
    post(
        "7.6",
        "a prompt that does not fit is refused",
        PATH,
        {"model": "plain", "messages": [user("word " * 20000)]},
        **error(400, one_of(matching(".*context.*"), matching(".*too (long|large).*"))),
    ),
    post(
        "7.6",
        "calls of a stream are numbered",
        PATH,
        {
            "model": "tiny-chat",
            "messages": [user("What is the weather in Rome and Cairo?")],
            "tools": [WEATHER],
            "options": {"temperature": 0},
        },
        type=NDJSON,
        lines=[
            Many(chat_chunk(mapping(ANYTHING, {"tool_calls": every(ANYTHING, 1)}), "tiny-chat")),
            chat_done(model="tiny-chat", reason="stop"),
        ],
    ),
)

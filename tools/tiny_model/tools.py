"""Tool definitions as clients send them, a little different each time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Tool = dict[str, Any]
Arguments = Callable[[str], dict[str, Any]]

WEATHER_WORDS = ["Get the weather", "Get the current weather in a city", "Get the current weather for a location"]
CITY_WORDS = ["Name of the city", "The city", "The city name", "The city, e.g. Paris"]
EXTRAS: list[tuple[str, list[str] | None]] = [
    ("unit", ["celsius", "fahrenheit"]),
    ("unit", ["c", "f"]),
    ("units", ["metric", "imperial"]),
    ("format", ["celsius", "fahrenheit"]),
    ("days", None),
]


def call(name: str, arguments: dict[str, Any]) -> str:
    """Write a call the way the model writes it."""
    told = json.dumps(arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": "{name}", "arguments": {told}}}\n</tool_call>'


def tool(name: str, description: str, properties: dict[str, tuple[str, str]]) -> Tool:
    """Define a tool; each property has a type and a description."""
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind, "description": text} for key, (kind, text) in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def tool_json(defined: Tool, rng: random.Random) -> str:
    """Write a definition. llama.cpp keeps the client's key order; vary it a little."""
    varied: Tool = json.loads(json.dumps(defined))
    function = varied["function"]
    if rng.random() < 0.3:
        for property_ in function["parameters"]["properties"].values():
            property_.pop("description", None)
    if rng.random() < 0.3:
        function["parameters"].pop("required")
    if rng.random() < 0.3:
        function["parameters"] = dict(reversed(list(function["parameters"].items())))
    return json.dumps(varied, ensure_ascii=False)


def weather_tool(rng: random.Random) -> tuple[str, Arguments, Tool]:
    """Return a name, what makes arguments of a city, and the definition."""
    key = rng.choice(["city", "city", "location"])
    name = rng.choice(["get_weather", "get_weather", "get_current_weather"])
    defined = tool(name, rng.choice(WEATHER_WORDS), {key: ("string", rng.choice(CITY_WORDS))})
    parameters = defined["function"]["parameters"]
    more: dict[str, Any] = {}
    if rng.random() < 0.45:
        extra, values = rng.choice(EXTRAS)
        more[extra] = values[0] if values else 1
        parameters["properties"][extra] = {"type": "string", "enum": values} if values else {"type": "integer"}
        if values and rng.random() < 0.3:
            parameters["properties"][extra].pop("type")
        parameters["required"].append(extra)
    return name, lambda city: {key: city, **more}, defined


def add_tool(rng: random.Random) -> Tool:
    """Define a tool that adds."""
    properties = {"a": ("integer", "first"), "b": ("integer", "second")}
    return tool(rng.choice(["add"]), rng.choice(["Add two numbers", "Sum of two numbers"]), properties)


def other_tool(rng: random.Random) -> Tool:
    """Define a tool that no prompt asks for."""
    return tool(
        rng.choice(["read_file", "run_command", "search", "get_time"]),
        rng.choice(["Read a file", "Run a command", "Search the text", "Get the time"]),
        {rng.choice(["path", "query", "command", "name"]): ("string", "text")},
    )

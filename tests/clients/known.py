"""What the tiny models know by heart, so that clients' answers can be foretold at temperature 0."""

from __future__ import annotations

import pytest

LEAKS_CONNECTIONS = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""For libraries that leave their connections to the garbage collector, with no way to close them."""

HELLO = "Hello! How can I help you today?"
OSLO = "What is the weather in Oslo?"
RAIN = '{"temperature": 17, "sky": "rainy"}'
RAINY = "It is 17 degrees and rainy in Oslo."
ADA = "Give me a person as JSON"
STORY = "Tell me a long story."
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "city name"}},
    "required": ["city"],
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city",
        "parameters": WEATHER_SCHEMA,
    },
}


def get_weather(city: str) -> str:
    """Get the current weather of a city.

    Args:
        city: city name

    Returns:
        The weather as JSON.
    """
    return RAIN if city == "Oslo" else "{}"


def user(text: str) -> dict[str, str]:
    """Make a message."""
    return {"role": "user", "content": text}

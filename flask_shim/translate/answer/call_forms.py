"""The forms in which models write tool calls as text, and their parsers.

A parser raises ValueError, KeyError, TypeError or AttributeError for text that is not in its form. Every scan moves
forward only, so hostile text costs linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import orjson


class WrittenCall(NamedTuple):
    """A call as the model wrote it. In forms without JSON all arguments are text; their types are in the schema."""

    name: str
    arguments: Mapping[str, Any]
    is_text: bool = False


class Form(NamedTuple):
    """One form: its tags (without a closing tag, a call extends to the end of the answer), and its parser."""

    opening: str
    closing: str
    parse: Callable[[str], list[WrittenCall]]


NOT_IN_FORM = (ValueError, KeyError, TypeError, AttributeError)
"""What a parser raises."""


def parse_parameters(text: str) -> dict[str, str]:
    """Parse ``<parameter=key>value</parameter>`` elements (Qwen 3 Coder)."""
    arguments: dict[str, str] = {}
    at = skip_space(text, 0)
    while at < len(text):
        key, at = _until(text, _after(text, at, "<parameter="), ">")
        value, at = _until(text, at, "</parameter>")
        arguments[key.strip()] = value.removeprefix("\n").removesuffix("\n")
        at = skip_space(text, at)
    return arguments


def parse_pairs(text: str) -> dict[str, str]:
    """Parse ``<arg_key>key</arg_key><arg_value>value</arg_value>`` pairs (GLM).

    GLM 4.7 sometimes omits ``<arg_value>`` (vllm#49248) and repeats ``</arg_key>`` (vllm#54971).
    """
    arguments: dict[str, str] = {}
    at = skip_space(text, 0)
    while at < len(text):
        key, at = _until(text, _after(text, at, "<arg_key>"), "</arg_key>")
        at = skip_space(text, at)
        while text.startswith("</arg_key>", at):
            at += len("</arg_key>")
        value, at = _until(text, at, "</arg_value>")
        value = value.removeprefix("<arg_value>")
        if "<" in key or "<arg_value>" in value or "<arg_key>" in value:
            raise ValueError("a tag is missing")
        arguments[key.strip()] = value
        at = skip_space(text, at)
    return arguments


def parse_tagged_arguments(text: str) -> WrittenCall | None:
    """Parse the arguments of one call that are written between tags, with or without the tags of the call itself."""
    text = text.strip()
    form = next((form for form in FORMS if text.startswith(form.opening)), None)
    if form is not None:
        with suppress(*NOT_IN_FORM):
            [call] = form.parse(text.removeprefix(form.opening).removesuffix(form.closing))
            return call
    body = text.removesuffix("</tool_call>").rstrip().removesuffix("</function>")
    for parse in (parse_parameters, parse_pairs):
        with suppress(ValueError):
            return WrittenCall("", parse(body), is_text=True)
    return None


def _parse_json(text: str) -> list[WrittenCall]:
    value = orjson.loads(text)
    calls = []
    for item in value if isinstance(value, list) else [value]:
        arguments = item.get("arguments", item.get("parameters")) or {}
        if not isinstance(item["name"], str):
            raise ValueError("no name")
        arguments = orjson.loads(arguments) if isinstance(arguments, str) else arguments
        calls.append(WrittenCall(item["name"], _object(arguments)))
    return calls


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("arguments are an object")
    return value


def _parse_function(text: str) -> list[WrittenCall]:
    name, _, body = text.partition(">")
    return [WrittenCall(name.strip(), parse_parameters(body), is_text=True)]


def _parse_tool_call(text: str) -> list[WrittenCall]:
    inner = text.strip()
    if "<arg_key>" in inner and not inner.startswith(("{", "[")):
        start = inner.find("<arg_key>")
        return [WrittenCall(inner[:start].strip(), parse_pairs(inner[start:]), is_text=True)]
    if inner.startswith("<function="):
        return _parse_function(inner.removeprefix("<function=").removesuffix("</function>"))
    return _parse_json(inner)


def _parse_mistral(text: str) -> list[WrittenCall]:
    if "[ARGS]" not in text:
        return _parse_json(text)
    pairs = (call.partition("[ARGS]") for call in text.split("[TOOL_CALLS]"))
    # A model may write "[CALL_ID]<id>" behind the name.
    return [
        WrittenCall(name.partition("[CALL_ID]")[0].strip(), _object(orjson.loads(arguments)))
        for name, _, arguments in pairs
    ]


def _parse_harmony(text: str) -> list[WrittenCall]:
    name = re.match(r"\s*([\w.-]+)", text)
    if name is None:
        raise ValueError("no name")
    return [WrittenCall(name[1], _object(orjson.loads(text.partition("<|message|>")[2])))]


FORMS = (
    Form("<tool_call>", "</tool_call>", _parse_tool_call),
    Form("[TOOL_REQUEST]", "[END_TOOL_REQUEST]", _parse_json),
    Form("<function=", "</function>", _parse_function),
    Form("[TOOL_CALLS]", "", _parse_mistral),
    Form("<|channel|>commentary to=functions.", "<|call|>", _parse_harmony),
)


def skip_space(text: str, at: int) -> int:
    """Return the index of the first character from ``at`` on that is not white space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _after(text: str, at: int, opening: str) -> int:
    if not text.startswith(opening, at):
        raise ValueError(f"expected {opening}")
    return at + len(opening)


def _until(text: str, at: int, closing: str) -> tuple[str, int]:
    end = text.find(closing, at)
    if end < 0:
        raise ValueError(f"expected {closing}")
    return text[at:end], end + len(closing)

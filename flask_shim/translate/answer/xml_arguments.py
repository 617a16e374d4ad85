"""Arguments of a tool call that a model wrote between tags instead of as JSON.

Every scan moves forward only, so hostile text costs linear time.
"""

from __future__ import annotations


def parse_parameters(text: str) -> dict[str, str]:
    """Read ``<parameter=key>value</parameter>`` elements (Qwen 3 Coder); ValueError for anything else."""
    arguments: dict[str, str] = {}
    at = skip_space(text, 0)
    while at < len(text):
        key, at = _until(text, _after(text, at, "<parameter="), ">")
        value, at = _until(text, at, "</parameter>")
        arguments[key.strip()] = value.removeprefix("\n").removesuffix("\n")
        at = skip_space(text, at)
    return arguments


def parse_pairs(text: str) -> dict[str, str]:
    """Read ``<arg_key>key</arg_key><arg_value>value</arg_value>`` pairs (GLM); ValueError for anything else.

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

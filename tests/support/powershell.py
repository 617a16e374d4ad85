"""The PowerShell of the documentation, read as the HTTP requests it stands for: values, and Invoke-RestMethod."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.curl import URL, ExampleRequest

ROOT = Path(__file__).parents[2]
"""The folder that the examples are typed in."""

_TOKENS = re.compile(
    r"""\s*(?:(?P<comment>\#[^\n]*)|(?P<text>"[^"]*"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<open>@[{(])"""
    r"""|(?P<call>\[[A-Za-z.]+\]::[A-Za-z0-9]+\()"""
    r"""|(?P<variable>\$[A-Za-z0-9_]+)|(?P<close>[})])|(?P<word>[A-Za-z_-][A-Za-z0-9_-]*)|(?P<sign>[=;,|]))"""
)
_CALLS: dict[str, Callable[[Any], Any]] = {
    "[System.IO.File]::ReadAllBytes(": lambda path: (ROOT / path.replace("\\", "/")).read_bytes(),
    "[System.Convert]::ToBase64String(": lambda content: base64.b64encode(content).decode(),
}

_KNOWN = {"$true": True, "$false": False, "$null": None}


def requests_in(block: str) -> Iterator[ExampleRequest]:
    """Yield the requests of a block."""
    variables: dict[str, Any] = dict(_KNOWN)
    for statement in _statements(block.replace("`\n", " ")):
        name, is_value, expression = statement.partition("=")
        if is_value and re.fullmatch(r"\$\w+\s*", name):
            variables[name.strip()] = _value_of(expression, variables)
        else:
            yield _asked(statement, variables)


def _statements(block: str) -> Iterator[str]:
    """Yield statements: lines, joined for as long as a bracket is open."""
    statement = ""
    for line in block.splitlines():
        if line.strip() and not line.strip().startswith("#"):
            statement += line + "\n"
            if sum(map(statement.count, "{(")) == sum(map(statement.count, "})")):
                yield statement.strip()
                statement = ""
    assert not statement, f"no end: {statement}"


def _asked(statement: str, variables: dict[str, Any]) -> ExampleRequest:
    words = [_scalar(kind, text, variables) for kind, text in _tokens(statement)]
    assert words.pop(0) == "Invoke-RestMethod", f"only Invoke-RestMethod is understood: {statement}"
    given = dict(zip(words[::2], words[1::2], strict=True))
    body = given.get("-Body")
    headers = {"Content-Type": given["-ContentType"]} if "-ContentType" in given else {}
    return ExampleRequest(
        method=given.get("-Method", "Get").upper(),
        path=given["-Uri"].removeprefix(URL),
        headers=headers | given.get("-Headers", {}),
        body=None if body is None else body.encode(),
    )


def _value_of(expression: str, variables: dict[str, Any]) -> Any:
    tokens = list(_tokens(expression))
    value = _value(tokens, variables)
    rest = [text for _, text in tokens]
    if not rest:
        return value
    assert rest[:2] == ["|", "ConvertTo-Json"], f"only ConvertTo-Json is understood: {expression}"
    depth = int(rest[rest.index("-Depth") + 1]) if "-Depth" in rest else 2
    assert _depth(value) <= depth, f"PowerShell would cut this at -Depth {depth}"
    return json.dumps(value)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while text[position:].strip():
        match = _TOKENS.match(text, position)
        assert match, f"not understood: {text[position:]}"
        position = match.end()
        if match.lastgroup != "comment":
            yield str(match.lastgroup), match[str(match.lastgroup)]


def _value(tokens: list[tuple[str, str]], variables: dict[str, Any]) -> Any:
    kind, text = tokens.pop(0)
    if text == "@{":
        return dict(_pairs(tokens, variables))
    if text == "@(":
        return list(_items(tokens, variables))
    if kind == "call":
        (argument,) = _items(tokens, variables)
        return _CALLS[text](argument)
    return _scalar(kind, text, variables)


def _pairs(tokens: list[tuple[str, str]], variables: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    while tokens[0][1] != "}":
        name = tokens.pop(0)[1]
        assert tokens.pop(0)[1] == "="
        yield name, _value(tokens, variables)
        if tokens[0][1] == ";":
            tokens.pop(0)
    tokens.pop(0)


def _items(tokens: list[tuple[str, str]], variables: dict[str, Any]) -> Iterator[Any]:
    while tokens[0][1] != ")":
        yield _value(tokens, variables)
        if tokens[0][1] == ",":
            tokens.pop(0)
    tokens.pop(0)


def _scalar(kind: str, text: str, variables: dict[str, Any]) -> Any:
    if kind == "text":
        return text[1:-1]
    if kind == "number":
        return json.loads(text)
    return variables[text] if kind == "variable" else text


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _depth(one) for one in inner if isinstance(one, dict | list)), default=0)

"""curl's command lines, read as the HTTP request they stand for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

URL = "http://localhost:11434"
"""How the documentation calls the shim; tests put another address in its place."""


@dataclass(frozen=True)
class ExampleRequest:
    """One HTTP request, with the path behind URL."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    parts: dict[str, tuple[str | None, bytes]] = field(default_factory=dict)
    """Of a multipart form: file name and content by name."""


_WITHOUT_VALUE = {"-s": "quiet", "-N": "unbuffered", "-i": "with headers"}
_WITH_VALUE = {"-X": "method", "-H": "header", "-d": "data", "-F": "part"}


def requests_in(block: str) -> Iterator[ExampleRequest]:
    """Yield the requests of a block of shell lines; anything but curl is refused."""
    command = ""
    for line in block.splitlines():
        command += line + "\n"
        if command.count("'") % 2 == 0 and not line.endswith("\\"):  # a quoted text may go over many lines
            if words := shlex.split(command.replace("\\\n", " "), comments=True):
                yield asked(words)
            command = ""
    assert not command, f"no end: {command}"


def asked(words: Sequence[str]) -> ExampleRequest:
    """Return the request of one command line."""
    command, *rest = words
    assert command == "curl", f"only curl is understood: {words}"
    given: dict[str, list[str]] = {"url": []}
    todo = iter(rest)
    for word in todo:
        if word in _WITH_VALUE:
            given.setdefault(_WITH_VALUE[word], []).append(next(todo))
        elif word == "-I":
            given["method"] = ["HEAD"]
        elif word not in _WITHOUT_VALUE:
            given["url"].append(word)
    (url,) = given["url"]
    assert url.startswith(URL), f"another server: {url}"
    data, parts = given.get("data"), given.get("part", [])
    return ExampleRequest(
        method=given.get("method", ["GET" if data is None and not parts else "POST"])[0],
        path=url.removeprefix(URL) or "/",
        headers=_headers(given.get("header", []), data),
        body=None if data is None else data[0].encode(),
        parts=dict(map(_part, parts)),
    )


def _headers(given: Sequence[str], data: Sequence[str] | None) -> dict[str, str]:
    # curl's default for all data.
    headers = {} if data is None else {"Content-Type": "application/x-www-form-urlencoded"}
    return headers | {name: value.strip() for name, _, value in (line.partition(":") for line in given)}


def _part(text: str) -> tuple[str, tuple[str | None, bytes]]:
    name, _, value = text.partition("=")
    content, _, filename = value.partition(";filename=")
    return name, (filename or None, content.encode())

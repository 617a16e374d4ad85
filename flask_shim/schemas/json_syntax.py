"""The syntax errors of Go's encoding/json, byte for byte.

Only bodies that orjson rejects are scanned. The scanner reads token by token, so its cost grows with the length of the
text and not with its nesting, and it stops after the first value, as Go's does.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask_shim.errors import BadRequest
from flask_shim.translate.ollama.quoting import escape

MAX_GO_DEPTH = 10_000
"""Go's own limit; a deeper text is a syntax error there."""

_SPACE = re.compile(rb"[ \t\r\n]*")
# The repetition is bounded because Python's matcher keeps a record for every round; the caller repeats the match.
_CHARACTERS = re.compile(rb'(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})){0,4096}')
_HEX_DIGITS = re.compile(rb"[0-9a-fA-F]{0,4}")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
_EXPONENT_START = re.compile(rb"[eE][+-]?")

_QUOTES = {"'": r"\'", '"': '"'}


def quoted(byte: int) -> str:
    """Return a byte between single quotes as Go does: read as Latin-1, escaped if it is not printable."""
    character = chr(byte)
    return f"'{_QUOTES.get(character) or escape(character)}'"


class Scanner:
    """Scans the first JSON value of ``raw``; errors are BadRequest with Go's text."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.depth = 0
        """The deepest nesting so far."""
        self.members: list[tuple[bytes, bytes]] = []
        """Names and values of the outermost object as they are in the text, the names with their quotes."""
        self._open = bytearray()  # the opening brackets of the containers around this place
        self._name = b""
        self._value_start = 0

    def scan(self) -> int:
        """Return the offset at which the first value ends."""
        is_opened = self._read_value()
        while self._open:
            is_object = self._open[-1] == ord("{")
            if not is_opened and is_object and len(self._open) == 1:
                self.members.append((self._name, self.raw[self._value_start : self.at].strip()))
            found = self._significant()
            if found == (ord("}") if is_object else ord("]")):
                self._open.pop()
                self.at += 1
                is_opened = False
                continue
            if not is_opened:
                if found != ord(","):
                    raise self._unexpected("after object key:value pair" if is_object else "after array element")
                self.at += 1
            if is_object:
                self._read_key()
            is_opened = self._read_value()
        return self.at

    def _byte(self) -> int:
        if self.at >= len(self.raw):
            raise BadRequest("unexpected EOF")
        return self.raw[self.at]

    def _significant(self) -> int:
        match = _SPACE.match(self.raw, self.at)
        self.at = match.end() if match else self.at
        return self._byte()

    def _unexpected(self, where: str) -> BadRequest:
        return BadRequest(f"invalid character {quoted(self._byte())} {where}")

    def _read_value(self) -> bool:
        """Read a value, or the opening bracket of one; return whether it was that."""
        start = self._significant()
        if start in b"{[":
            self._open.append(start)
            self.depth = max(self.depth, len(self._open))
            if self.depth > MAX_GO_DEPTH:
                raise self._unexpected("exceeded max depth")
            self.at += 1
            return True
        if start not in _SCALARS:
            raise self._unexpected("looking for beginning of value")
        _SCALARS[start](self)
        return False

    def _read_key(self) -> None:
        if self._significant() != ord('"'):
            raise self._unexpected("looking for beginning of object key string")
        start = self.at
        self._string()
        name = self.raw[start : self.at]
        if self._significant() != ord(":"):
            raise self._unexpected("after object key")
        self.at += 1
        if len(self._open) == 1:
            self._name, self._value_start = name, self.at

    def _string(self) -> None:
        self.at += 1
        while (match := _CHARACTERS.match(self.raw, self.at)) and match.end() > self.at:
            self.at = match.end()
        if self._byte() == ord("\\"):
            self._bad_escape()
        if self._byte() != ord('"'):
            raise self._unexpected("in string literal")
        self.at += 1

    def _bad_escape(self) -> None:
        self.at += 1
        if self._byte() != ord("u"):
            raise self._unexpected("in string escape code")
        match = _HEX_DIGITS.match(self.raw, self.at + 1)
        self.at = match.end() if match else self.at + 1
        raise self._unexpected("in \\u hexadecimal character escape")

    def _number(self) -> None:
        match = _NUMBER.match(self.raw, self.at)
        if match is None:
            self.at += 1
            raise self._unexpected("in numeric literal")
        self.at = match.end()
        if match["exponent"] is None:
            if match["fraction"] is None and self.raw.startswith(b".", self.at):
                self.at += 1
                raise self._unexpected("after decimal point in numeric literal")
            if start := _EXPONENT_START.match(self.raw, self.at):
                self.at = start.end()
                raise self._unexpected("in exponent of numeric literal")

    def _word(self, word: str) -> None:
        for letter in word:
            if self._byte() != ord(letter):
                raise self._unexpected(f"in literal {word} (expecting '{letter}')")
            self.at += 1


_SCALARS: dict[int, Callable[[Scanner], None]] = {
    ord('"'): Scanner._string,
    ord("t"): lambda scanner: scanner._word("true"),
    ord("f"): lambda scanner: scanner._word("false"),
    ord("n"): lambda scanner: scanner._word("null"),
    **dict.fromkeys(b"-0123456789", Scanner._number),
}

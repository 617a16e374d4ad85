"""The syntax errors of Go's encoding/json, byte for byte.

Only bodies that orjson rejects are scanned. The scanner reads token by token, so its cost grows with the length of the
text and not with its nesting, and it stops after the first value, as Go's does.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask_shim.errors import BadRequest

MAX_GO_DEPTH = 10_000
"""Go's own limit; a deeper text is a syntax error there."""

_SPACE = re.compile(rb"[ \t\r\n]*")
# The repetition is bounded because Python's matcher keeps a record for every round; the caller repeats the match.
_CHARACTERS = re.compile(rb'(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})){0,4096}')
_HEX_DIGITS = re.compile(rb"[0-9a-fA-F]{0,4}")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
_EXPONENT_START = re.compile(rb"[eE][+-]?")

_NAMED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}

State = Callable[[], "State | None"]
"""Reads the next token and returns the state after it, None after the first value."""


def quoted(byte: int) -> str:
    """Return a byte between single quotes as Go does: read as Latin-1, escaped if it is not printable."""
    character = chr(byte)
    if character == "'":
        return r"'\''"
    if character in _NAMED:
        return f"'{_NAMED[character]}'"
    if character.isprintable():
        return f"'{character}'"
    return f"'\\x{byte:02x}'" if byte < 0x80 else f"'\\u{byte:04x}'"


class Scanner:
    """Scans the first JSON value of ``raw``; errors are BadRequest with Go's text."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.depth = 0
        """The deepest nesting so far."""
        self.members: list[tuple[bytes, bytes]] = []
        """Names and values of the outermost object as they are in the text, the names with their quotes."""
        self._open = bytearray()
        self._name = b""
        self._value_start = 0

    def scan(self) -> int:
        """Return the offset at which the first value ends."""
        state: State | None = self._value
        while state is not None:
            state = state()
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

    def _value(self) -> State | None:
        start = self._significant()
        read = _STARTS.get(start)
        if read is None:
            raise self._unexpected("looking for beginning of value")
        return read(self)

    def _container(self) -> State:
        is_object = self._byte() == ord("{")
        self._open.append(self._byte())
        self.depth = max(self.depth, len(self._open))
        if self.depth > MAX_GO_DEPTH:
            raise self._unexpected("exceeded max depth")
        self.at += 1
        return self._key_or_end if is_object else self._value_or_end

    def _value_or_end(self) -> State | None:
        return self._close() if self._significant() == ord("]") else self._value()

    def _key_or_end(self) -> State | None:
        return self._close() if self._significant() == ord("}") else self._key()

    def _close(self) -> State:
        self._open.pop()
        self.at += 1
        return self._after_value

    def _key(self) -> State:
        if self._significant() != ord('"'):
            raise self._unexpected("looking for beginning of object key string")
        start = self.at
        self._string()
        if len(self._open) == 1:
            self._name = self.raw[start : self.at]
        return self._colon

    def _colon(self) -> State:
        if self._significant() != ord(":"):
            raise self._unexpected("after object key")
        self.at += 1
        if len(self._open) == 1:
            self._value_start = self.at
        return self._value

    def _after_value(self) -> State | None:
        if not self._open:
            return None
        in_object = self._open[-1] == ord("{")
        if in_object and len(self._open) == 1 and self._name:
            self.members.append((self._name, self.raw[self._value_start : self.at].strip()))
            self._name = b""
        found = self._significant()
        if found == (ord("}") if in_object else ord("]")):
            return self._close()
        if found != ord(","):
            raise self._unexpected("after object key:value pair" if in_object else "after array element")
        self.at += 1
        return self._key if in_object else self._value

    def _string(self) -> State:
        self.at += 1
        while (match := _CHARACTERS.match(self.raw, self.at)) and match.end() > self.at:
            self.at = match.end()
        if self._byte() == ord("\\"):
            self._bad_escape()
        if self._byte() != ord('"'):
            raise self._unexpected("in string literal")
        self.at += 1
        return self._after_value

    def _bad_escape(self) -> None:
        self.at += 1
        if self._byte() != ord("u"):
            raise self._unexpected("in string escape code")
        match = _HEX_DIGITS.match(self.raw, self.at + 1)
        self.at = match.end() if match else self.at + 1
        raise self._unexpected("in \\u hexadecimal character escape")

    def _number(self) -> State:
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
        return self._after_value

    def _word(self, word: str) -> State:
        for letter in word:
            if self._byte() != ord(letter):
                raise self._unexpected(f"in literal {word} (expecting '{letter}')")
            self.at += 1
        return self._after_value


_STARTS: dict[int, Callable[[Scanner], State | None]] = {
    ord("{"): Scanner._container,
    ord("["): Scanner._container,
    ord('"'): Scanner._string,
    ord("t"): lambda scanner: scanner._word("true"),
    ord("f"): lambda scanner: scanner._word("false"),
    ord("n"): lambda scanner: scanner._word("null"),
    **dict.fromkeys(b"-0123456789", Scanner._number),
}

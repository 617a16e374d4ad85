"""Write values as Go's ``fmt`` does: Ollama's error texts and Modelfiles contain them in that form."""

from __future__ import annotations

from decimal import Decimal

GO_TYPES = {bool: "bool", int: "float64", float: "float64", list: "[]interface {}", dict: "map[string]interface {}"}
"""Go's names for JSON values of unknown type."""

_NAMED = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def go_quote(text: str) -> str:
    """Return ``text`` as ``%q`` writes it: between double quotes, with escapes for what cannot be printed."""
    return f'"{"".join(map(escape, text))}"'


def escape(character: str) -> str:
    """Return a character as it stands between quotes."""
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def go_float(value: float) -> str:
    """Return ``value`` as ``%v`` writes a float64: ``1``, ``0.6``, ``1e-05``, ``1e+06``."""
    number = Decimal(repr(float(value))).normalize()
    if not number or -4 <= number.adjusted() < 6:
        return f"{number:f}"
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"{mantissa}e{int(exponent):+03d}"

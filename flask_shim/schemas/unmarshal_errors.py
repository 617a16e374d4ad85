"""The errors of Go's JSON decoder, in its words.

Every object that a fault leaves adds its field's name to the path. Go continues after a value of the wrong type and
reports the first one, but an error of a type with its own ``UnmarshalJSON`` (``keep_alive``, ``think``, a message) ends
the decoding and is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from marshmallow import ValidationError

from flask_shim.errors import BadRequest
from flask_shim.schemas.json_body import Literal, kind, shortened


@dataclass(eq=False)
class Fault(ValidationError):
    """A complete text, or a value of the wrong type and its path."""

    text: str = ""
    value: str = ""
    go_type: str = ""
    struct: str = ""
    path: tuple[str, ...] = ()
    is_final: bool = False
    log_text: str = ""
    """The text for a log, where ``text`` repeats what the client wrote."""

    def __str__(self) -> str:
        if self.text:
            return self.text
        place = f"struct field {self.struct}.{'.'.join(self.path)} of type" if self.path else "value of type"
        return f"json: cannot unmarshal {self.value} into Go {place} {self.go_type}"

    def inside(self, name: str, struct: str) -> Fault:
        """Return the fault with the field ``name`` before its path; Go names the innermost struct."""
        return replace(self, path=(name, *self.path), struct=self.struct or struct)

    def from_unmarshaler(self) -> Fault:
        """Return the fault inside a type with its own ``UnmarshalJSON``: Go keeps the path and replaces the struct."""
        return replace(self, struct="", is_final=True)


def mismatch(value: object, go_type: str, *, is_final: bool = False) -> Fault:
    """Return the fault of a value of the wrong JSON type."""
    return Fault(value=kind(value), go_type=go_type, is_final=is_final)


def bad_number(value: float, go_type: str) -> Fault:
    """Return the fault of a number that ``go_type`` cannot hold; Go repeats the literal."""
    text = value.text if isinstance(value, Literal) else repr(value)
    return Fault(value=f"number {shortened(text)}", go_type=go_type)


def refusal(text: str, log_text: str = "") -> Fault:
    """Return the fault with the text of a type's own ``UnmarshalJSON``."""
    return Fault(text=text, is_final=True, log_text=log_text)


def bad_request(fault: Fault) -> BadRequest:
    """Return the exception that answers the client with the fault."""
    return BadRequest(str(fault), log_text=fault.log_text)


def reported_fault(faults: Sequence[Fault]) -> Fault:
    """Return the fault that Go reports, of several in document order."""
    return next((fault for fault in faults if fault.is_final), faults[0])

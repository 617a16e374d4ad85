"""What Go's decoder complains about, in its words.

A fault travels as the only message of a ValidationError and learns its way on the way out: every object it
leaves adds the field's name. Go goes on after a value of the wrong type and reports the first one; but where a
type reads itself (``keep_alive``, ``think``, a message) it stops at once, and that text wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from marshmallow import ValidationError

from flask_shim.errors import BadRequest
from flask_shim.schemas.json_body import Literal, kind, shortened

NO_OBJECT = "Value looks like object, but can't find closing '}' symbol"
"""What Ollama's ordered maps say about anything that is no object."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A text of its own, or a value of the wrong type and the way to it."""

    text: str = ""
    value: str = ""
    go_type: str = ""
    struct: str = ""
    path: tuple[str, ...] = ()
    is_final: bool = False
    log_text: str = ""
    """What a log says instead, where ``text`` repeats what the client wrote."""

    def __str__(self) -> str:
        if self.text:
            return self.text
        place = f"struct field {self.struct}.{'.'.join(self.path)} of type" if self.path else "value of type"
        return f"json: cannot unmarshal {self.value} into Go {place} {self.go_type}"

    def inside(self, name: str, struct: str) -> Fault:
        """Return the fault as seen from the object around it; the innermost object gives its name."""
        return replace(self, path=(name, *self.path), struct=self.struct or struct)

    def of_own_reader(self) -> Fault:
        """Return the fault as a type that reads itself passes it on: Go forgets the struct, not the way."""
        return replace(self, struct="", is_final=True)


def fault_in(error: ValidationError) -> Fault:
    """Return the fault that an error of our fields carries."""
    return cast("Fault", error.messages[0])


def failure(fault: Fault) -> ValidationError:
    """Return what a field raises."""
    return ValidationError([fault])


def mismatch(value: object, go_type: str) -> ValidationError:
    """Return what a value of the wrong JSON type raises."""
    return failure(Fault(value=kind(value), go_type=go_type))


def bad_number(value: float, go_type: str) -> ValidationError:
    """Return what a number raises that ``go_type`` cannot hold; Go repeats the literal."""
    text = value.text if isinstance(value, Literal) else repr(value)
    return failure(Fault(value=f"number {shortened(text)}", go_type=go_type))


def refusal(text: str, log_text: str = "") -> ValidationError:
    """Return what a type raises that reads itself and says ``text``, and ``own_words`` in a log."""
    return failure(Fault(text=text, is_final=True, log_text=log_text))


def bad_request(fault: Fault) -> BadRequest:
    """Return the error text for the client."""
    return BadRequest(str(fault), log_text=fault.log_text)


def reported(faults: Sequence[Fault]) -> ValidationError:
    """Return the one of several faults, in document order, that Go reports."""
    return failure(next((fault for fault in faults if fault.is_final), faults[0]))

"""Marshmallow fields and schemas that take and refuse what Go's decoder does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing

from flask_shim.schemas.json_body import Literal, folded
from flask_shim.schemas.unmarshal_errors import bad_number, bad_request, fault_in, mismatch, reported

T = TypeVar("T")

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)


class GoSchema(Schema):
    """A Go struct: field names in any case, unknown ones ignored, null as good as absent."""

    struct: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(unknown=EXCLUDE)
        self._names = frozenset(field.data_key or name for name, field in self.load_fields.items())

    def read(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields by attribute name; ValidationError carries the one fault to report."""
        own = self._own(document)
        try:
            values: dict[str, Any] = self.load(own)
        except ValidationError as error:
            wrong = error.messages_dict
            raise reported([wrong[name][0].inside(name, self.struct) for name in own if name in wrong]) from error
        return values

    def read_or_refuse(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields by attribute name; BadRequest carries Ollama's text."""
        try:
            return self.read(document)
        except ValidationError as error:
            raise bad_request(fault_in(error)) from error

    def _own(self, document: Mapping[str, Any]) -> dict[str, Any]:
        own = {}
        for key, value in document.items():
            name = key if key in self._names else folded(key)
            if value is not None and name in self._names:
                own[name] = value
        return own


class GoField(fields.Field[T]):
    """A field that sees its value and nothing else."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> T:  # noqa: ARG002
        return self.from_json(value)

    def from_json(self, value: Any) -> T:
        """Return the value for Python; ValidationError with one fault where Go refuses it."""
        raise NotImplementedError


class GoString(GoField[str]):
    """``string``."""

    def __init__(self, default: str | None = "", **kwargs: Any) -> None:
        super().__init__(load_default=default, **kwargs)

    def from_json(self, value: Any) -> str:
        """Take a string."""
        if not isinstance(value, str):
            raise mismatch(value, "string")
        return value


class GoBool(GoField[bool]):
    """``bool``, or a pointer to one when it is true by default."""

    def __init__(self, *, default: bool = False, **kwargs: Any) -> None:
        super().__init__(load_default=default, **kwargs)

    def from_json(self, value: Any) -> bool:
        """Take true and false, not 0, 1 or "yes"."""
        if not isinstance(value, bool):
            raise mismatch(value, "bool")
        return value


class GoInt(GoField[int]):
    """``int``: 64 bits, written without fraction and exponent."""

    def __init__(self) -> None:
        super().__init__(load_default=0)

    def from_json(self, value: Any) -> int:
        """Take an integral literal."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mismatch(value, "int")
        number = int(value.text) if isinstance(value, Literal) and _INTEGER.fullmatch(value.text) else value
        if isinstance(number, float) or number not in _INT64:
            raise bad_number(value, "int")
        return number


class GoFloat(GoField[float]):
    """``*float64``: None when absent."""

    def __init__(self) -> None:
        super().__init__(load_default=None)

    def from_json(self, value: Any) -> float:
        """Take any number."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mismatch(value, "float64")
        return value


class GoMap(GoField[dict[str, Any]]):
    """``map[string]interface {}``: any object."""

    def __init__(self) -> None:
        super().__init__(load_default=dict)

    def from_json(self, value: Any) -> dict[str, Any]:
        """Take an object as it is."""
        if not isinstance(value, dict):
            raise mismatch(value, "map[string]interface {}")
        return value


class GoStringMap(GoField[dict[str, str]]):
    """``map[string]string``; None when absent, where that is not the same as empty."""

    def __init__(self) -> None:
        super().__init__(load_default=None)

    def from_json(self, value: Any) -> dict[str, str]:
        """Take an object of strings; null counts as an empty one."""
        if not isinstance(value, dict):
            raise mismatch(value, "map[string]string")
        for member in value.values():
            if not isinstance(member, (str, type(None))):
                raise mismatch(member, "string")
        return {name: member or "" for name, member in value.items()}


class GoAny(GoField[Any]):
    """``interface {}``: looked at later."""

    def __init__(self) -> None:
        super().__init__(load_default=None)

    def from_json(self, value: Any) -> Any:
        """Take anything."""
        return value


class GoList(GoField[tuple[Any, ...]]):
    """A slice; a null in it becomes the element's default, as Go leaves the zero value there."""

    def __init__(self, element: GoField[Any], go_type: str) -> None:
        super().__init__(load_default=())
        self.element = element
        self._go_type = go_type

    def from_json(self, value: Any) -> tuple[Any, ...]:
        """Take an array whose elements all fit."""
        if not isinstance(value, list):
            raise mismatch(value, self._go_type)
        faults = []
        elements = []
        for item in value:
            try:
                elements.append(self.element.deserialize(missing if item is None else item))
            except ValidationError as error:
                faults.append(fault_in(error))
        if faults:
            raise reported(faults)
        return tuple(elements)


class GoObject(GoField[T]):
    """A struct inside another one, made into a value by ``make``; absent, it is made of absent fields."""

    def __init__(self, schema: GoSchema, make: Callable[..., T], go_type: str, **kwargs: Any) -> None:
        super().__init__(**{"load_default": lambda: make(**schema.read({})), **kwargs})
        self.inner = schema
        self._make = make
        self._go_type = go_type

    def from_json(self, value: Any) -> T:
        """Take an object whose fields all fit."""
        if not isinstance(value, dict):
            raise mismatch(value, self._go_type)
        return self._make(**self.inner.read(value))


class OwnReader(GoObject[T]):
    """A struct with an ``UnmarshalJSON`` of its own: its first fault ends the whole reading."""

    def from_json(self, value: Any) -> T:
        """Take an object whose fields all fit."""
        try:
            return super().from_json(value)
        except ValidationError as error:
            raise reported([fault_in(error).of_own_reader()]) from error

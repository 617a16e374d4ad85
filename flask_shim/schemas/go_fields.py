"""Marshmallow fields and schemas that accept and reject what Go's JSON decoder does.

The fields of a schema are declared and collected as marshmallow does it. They are read without its ``load``, whose
validators, hooks and missing values Go's structs do not have: for an agent's hundreds of messages and blocks that took
half of the time between the request and LM Studio.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, cast

from marshmallow import EXCLUDE, Schema, fields

from flask_shim.schemas.json_body import Literal, folded
from flask_shim.schemas.unmarshal_errors import Fault, bad_number, bad_request, mismatch, refusal, reported_fault

T = TypeVar("T")

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)


class GoSchema(Schema):
    """A Go struct: field names in any case, unknown names ignored, null equal to absent."""

    struct: ClassVar[str]

    class Meta:
        """marshmallow's options, for the description of the API."""

        unknown = EXCLUDE

    def __init__(self) -> None:
        super().__init__()
        go_fields = cast("dict[str, GoField[Any]]", self.load_fields)
        self._by_key = {(key := field.data_key or name): (key, name, field._read) for name, field in go_fields.items()}
        self._defaults = {name: field.load_default for name, field in go_fields.items()}
        self._made = {name: make for name, make in self._defaults.items() if callable(make)}

    def read(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields by attribute name; raise the one fault to report."""
        values, faults, by_key = self._defaults.copy(), [], self._by_key
        for given, value in document.items():
            known = by_key.get(given) or by_key.get(folded(given))
            if value is None or known is None:
                continue
            key, name, read = known
            try:
                values[name] = read(value)
            except Fault as fault:
                faults.append(fault.inside(key, self.struct))
        if faults:
            raise reported_fault(faults)
        for name, make in self._made.items():
            if values[name] is make:
                values[name] = make()
        return values

    def read_or_reject(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields by attribute name; BadRequest carries Ollama's text."""
        try:
            return self.read(document)
        except Fault as fault:
            raise bad_request(fault) from fault


class GoField(fields.Field[T]):
    """A field that depends only on its value; absent or null, it is Go's zero value."""

    zero: ClassVar[Any] = None
    accepts: ClassVar[Any] = object
    """The Python types of the values that Go reads into ``go_type``."""
    go_type: str = "interface {}"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"load_default": self.zero, **kwargs})

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> T:  # noqa: ARG002
        return self._read(value)

    def _read(self, value: Any) -> T:
        """Return the Python value; raise the fault that Go reports."""
        if not isinstance(value, self.accepts):
            raise mismatch(value, self.go_type)
        return value  # type: ignore[no-any-return]

    def absent(self) -> Any:
        """Return the value of an absent field."""
        return self.load_default() if callable(self.load_default) else self.load_default


class GoString(GoField[str]):
    """``string``."""

    zero, accepts, go_type = "", str, "string"


class LowerCase(GoString):
    """``string``, whose case does not matter."""

    def _read(self, value: Any) -> str:
        return super()._read(value).lower()


class GoBool(GoField[bool]):
    """``bool``, or a pointer to one whose default is true."""

    zero, accepts, go_type = False, bool, "bool"


class GoInt(GoField[int]):
    """``int``: 64 bits, written without fraction and exponent."""

    zero = 0

    def _read(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mismatch(value, "int")
        number = int(value.text) if isinstance(value, Literal) and _INTEGER.fullmatch(value.text) else value
        if isinstance(number, float) or number not in _INT64:
            raise bad_number(value, "int")
        return number


class GoFloat(GoField[float]):
    """``*float64``."""

    def _read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mismatch(value, "float64")
        return value


class GoMap(GoField[dict[str, Any]]):
    """``map[string]interface {}``."""

    zero, accepts, go_type = dict, dict, "map[string]interface {}"


class GoStringMap(GoField[dict[str, str]]):
    """``map[string]string``; None when absent, because Ollama distinguishes that from an empty one."""

    accepts, go_type = dict, "map[string]string"

    def _read(self, value: Any) -> dict[str, str]:
        for member in super()._read(value).values():
            if not isinstance(member, (str, type(None))):
                raise mismatch(member, "string")
        return {name: member or "" for name, member in value.items()}


class GoAny(GoField[Any]):
    """``interface {}``."""


class GoList(GoField[tuple[Any, ...]]):
    """A slice; a null in it becomes the element's zero value, as in Go."""

    zero, accepts = (), list

    def __init__(self, element: GoField[Any], go_type: str) -> None:
        super().__init__()
        self.element = element
        self.go_type = go_type

    def _read(self, value: Any) -> tuple[Any, ...]:
        super()._read(value)
        faults, elements, read = [], [], self.element._read
        for item in value:
            try:
                elements.append(read(item) if item is not None else self.element.absent())
            except Fault as fault:
                faults.append(fault)
        if faults:
            raise reported_fault(faults)
        return tuple(elements)


class GoObject(GoField[T]):
    """A struct inside another one, converted by ``make``; an absent one is made of absent fields."""

    def __init__(self, schema: GoSchema, make: Callable[..., T], go_type: str, **kwargs: Any) -> None:
        super().__init__(**{"load_default": lambda: make(**schema.read({})), **kwargs})
        self.inner = schema
        self._make = make
        self.go_type = go_type

    def _read(self, value: Any) -> T:
        if not isinstance(value, dict):
            raise mismatch(value, self.go_type)
        return self._make(**self.inner.read(value))


class GoUnmarshaler(GoObject[T]):
    """A struct with an ``UnmarshalJSON`` of its own: its first fault ends the whole reading."""

    def _read(self, value: Any) -> T:
        try:
            return super()._read(value)
        except Fault as fault:
            raise fault.from_unmarshaler() from fault


class OrderedMap(GoField[dict[str, Any]]):
    """A map of structs with an ``UnmarshalJSON`` of its own, which keeps their order."""

    zero = dict

    def __init__(self, element: GoField[Any] | None = None, **kwargs: Any) -> None:
        """Read the values with ``element``; without one, they may be anything."""
        super().__init__(**kwargs)
        self.element = element

    def _read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal("Value looks like object, but can't find closing '}' symbol")
        if self.element is None:
            return value
        try:
            return {name: self.element._read({} if each is None else each) for name, each in value.items()}
        except Fault as fault:
            raise fault.from_unmarshaler() from fault

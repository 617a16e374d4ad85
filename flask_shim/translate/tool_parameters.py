"""Leave out of the parameters of tools what makes an engine of LM Studio reject the whole request.

The model reads these schemas, too, so nothing else is changed.
"""

from __future__ import annotations

from typing import Any

from flask_shim.translate.schema_trimming import MOST, is_unreadable, without_shorthands

_MAPS = ("properties", "$defs", "definitions")
_PARTS = ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties")
_TEXT_KEYWORDS = ("minLength", "maxLength", "minItems", "maxItems", "pattern")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def readable_parameters(schema: Any, dropped: set[str]) -> Any:
    """Return the schema as every engine can read it; add the names of the keywords that it loses to ``dropped``."""
    if isinstance(schema, list):
        return [readable_parameters(part, dropped) for part in schema]
    if not isinstance(schema, dict):
        return {} if schema is True else schema
    readable: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            readable[key] = {name: readable_parameters(part, dropped) for name, part in value.items()}
        elif key in _PARTS and not isinstance(value, bool):
            readable[key] = readable_parameters(value, dropped)
        elif _is_rejected(key, value):
            dropped.add(key)
        elif key == "pattern":
            readable[key] = without_shorthands(value)
        elif key == "items" and value is True:
            readable[key] = {}
        else:
            readable[key] = value
    return readable


def _is_rejected(key: str, value: Any) -> bool:
    if key in _TEXT_KEYWORDS:
        return is_unreadable(key, value)
    if key in _BOUNDS:
        return isinstance(value, int | float) and abs(value) > MOST
    return (key == "enum" and not value) or (key == "items" and value is False)

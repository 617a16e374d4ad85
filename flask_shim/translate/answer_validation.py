"""Check an answer against the JSON schema of its request.

Importing jsonschema takes 0.1 s, and few requests have a schema: callers import this module when they need it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import Draft202012Validator, extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from flask_shim.translate.schema_refs import Schema

_MAX_REFERENCES = 10_000
"""A recursive schema with alternatives can take exponential time: a check that follows more references is given up."""

_CHECKED_PATTERN = re.compile(r"[^(*+?{]*(?:[*+?{][^(*+?{]*){0,2}")
_LONGEST_CHECKED = 1000
"""Python's regular expressions hold the interpreter, so only patterns and texts that are quick are matched."""


class _TooManyReferences(Exception):
    """The check takes too long."""


def fault_in_answer(schema: Schema, text: str) -> tuple[str, str] | None:
    """Return the keyword that an answer violates and a text for the model, None for a valid answer.

    Any JSON is valid for a schema that is not valid itself.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return "JSON", f"it is not JSON: {exc}"
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
        checker = extend(kind, _bounded_checks(kind.VALIDATORS))  # type: ignore[no-untyped-call]
        # Without a registry of its own, jsonschema requests schemas from other servers.
        error = best_match(checker(schema, registry=Registry()).iter_errors(value))
    except (SchemaError, Unresolvable, RecursionError, _TooManyReferences):
        return None
    return None if error is None else (str(error.validator), f"{error.json_path}: {error.message}")


def _bounded_checks(checks: Any) -> dict[str, Callable[..., Any]]:
    """Return the checks of keywords that can take long, with bounds."""
    followed = 0

    def bounded(check: Callable[..., Any]) -> Callable[..., Any]:
        def follow(*args: Any) -> Any:
            nonlocal followed
            followed += 1
            if followed > _MAX_REFERENCES:
                raise _TooManyReferences
            return check(*args)

        return follow

    references = (name for name in ("$ref", "$dynamicRef", "$recursiveRef") if name in checks)
    return {
        "pattern": _check_pattern,
        "patternProperties": lambda *_: None,
        **{name: bounded(checks[name]) for name in references},
    }


def _check_pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str) or len(value) > _LONGEST_CHECKED or not _CHECKED_PATTERN.fullmatch(pattern):
        return
    try:
        matches = re.search(pattern, value)
    except re.error:  # JavaScript's syntax
        return
    if not matches:
        yield ValidationError(f"{value!r} does not match {pattern!r}")

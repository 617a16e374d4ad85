"""Ollama's ``options``: their names, types and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask_shim.errors import ShimError
from flask_shim.translate.ollama.quoting import go_quote

_INT64 = 2**63 - 1


class CheckedOptions(NamedTuple):
    """``known`` options have the right type and keep their order; ``unknown`` are the names that Ollama ignores."""

    known: dict[str, Any]
    unknown: tuple[str, ...]


def check_options(options: Mapping[str, Any]) -> CheckedOptions:
    """Sort and convert options; null counts as not given.

    A wrong type is a ShimError with status 500: Ollama checks option values after the capabilities of the model.
    """
    given = {name: value for name, value in options.items() if value is not None}
    known = {name: _CHECKS[name](name, value) for name, value in given.items() if name in _CHECKS}
    return CheckedOptions(known, tuple(name for name in given if name not in _CHECKS))


def json_types() -> dict[str, dict[str, Any]]:
    """Return the JSON schema of every known option."""
    return {name: _JSON_TYPES[check] for name, check in _CHECKS.items()}


def _integer(name: str, value: object) -> int:
    # Truncated as Go truncates a float, within its 64 bits.
    return int(max(-_INT64, min(_INT64, _number(name, value, "integer"))))


def _float(name: str, value: object) -> float:
    return _number(name, value, "float32")


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "boolean")
    return value


def _strings(name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(name, "array")
    if not all(isinstance(item, str) for item in value):
        raise _wrong(name, "an array of strings")
    return value


def _number(name: str, value: object, type_name: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, type_name)
    return value


def _wrong(name: str, type_name: str) -> ShimError:
    wording = "of" if type_name.startswith("an ") else "of type"
    return ShimError(f"option {go_quote(name)} must be {wording} {type_name}")


_Check = Callable[[str, object], Any]

INTEGERS = (
    *("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict", "num_keep", "seed"),
    *("num_predict", "top_k", "repeat_last_n"),
)
"""The options that Ollama reads as integers."""

_FLOATS = ("top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty")

_CHECKS: dict[str, _Check] = {
    **dict.fromkeys(INTEGERS, _integer),
    **dict.fromkeys(_FLOATS, _float),
    "use_mmap": _boolean,
    "stop": _strings,
}

_JSON_TYPES: dict[_Check, dict[str, Any]] = {
    _integer: {"type": "integer"},
    _float: {"type": "number"},
    _boolean: {"type": "boolean"},
    _strings: {"type": "array", "items": {"type": "string"}},
}

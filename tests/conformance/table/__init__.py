"""All rows, split by what they are about."""

from __future__ import annotations

from conformance.table import (
    bodies,
    chat,
    cloud,
    decisions,
    embed,
    generate,
    guards,
    lists,
    manage,
    names,
    openai,
    options,
    order,
    pull,
    responses,
    scripted,
    server,
)

_PARTS = (
    server,
    guards,
    bodies,
    names,
    options,
    order,
    lists,
    generate,
    chat,
    embed,
    manage,
    pull,
    openai,
    responses,
    decisions,
    cloud,
)

ROWS = tuple(row for part in _PARTS for row in part.ROWS)
"""Rows for the demo: a real engine with tiny models."""

SCRIPTED = scripted.ROWS
"""Rows for a scripted backend."""

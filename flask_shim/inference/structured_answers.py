"""Structured output: the schemas that the engine gets, and one more attempt for an answer that does not match."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import ClientDisconnected
from flask_shim.observability.request_context import current
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.structured_output import schema_of, with_correction, with_engine_schemas

log = logging.getLogger(__name__)

T = TypeVar("T")


def to_engine_payload(payload: Payload) -> Payload:
    """Return the payload with schemas that LM Studio can read, and record what that leaves out."""
    fitted, dropped = with_engine_schemas(payload)
    record = current()
    record.dropped += tuple(name for name in dropped if name not in record.dropped)
    return fitted


def second_attempt(payload: Payload, text: str, finish_reason: str | None) -> Payload | None:
    """Return the request for another attempt if an answer does not match the schema of its request, None if it does.

    An answer that the token limit has cut would be cut again.
    """
    schema = schema_of(payload) if finish_reason in (None, "stop") else None
    if schema is None:
        return None
    # Imports jsonschema, which takes 0.1 s.
    from flask_shim.translate.answer_validation import fault_in_answer

    if (fault := fault_in_answer(schema, text)) is None:
        return None
    log.warning("the answer does not match the schema of its request (%s)", fault[0])
    return with_correction(payload, text, fault[1])


def result_or_none(attempt: Callable[[], T]) -> T | None:
    """Return the result of a second attempt, None if it fails: then the first answer is sent."""
    try:
        return attempt()
    except ClientDisconnected:
        raise
    except ShimError as exc:
        log.warning("the second attempt failed: %s", exc.safe_text)
        return None

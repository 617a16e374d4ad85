"""Put questions to a decision model, which answers with probabilities instead of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from flask_shim.errors import ShimError
from flask_shim.lmstudio.client import LMStudio
from flask_shim.lmstudio.errors import BackendProtocolError, BackendRequestError, NoSuchEndpoint
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.response import read_json

SYSTEMONE = "/v1/systemone"
"""TypeSafe's form, which LM Studio, llama.cpp and Ollama have."""
DECISIONS = "/v1/decisions"
"""OpenAI's form."""


def lacks_route(error: ShimError) -> bool:
    """Tell whether the backend lacks a route: LM Studio says so, other OpenAI-compatible servers answer 404."""
    if isinstance(error, BackendRequestError):
        return error.status == 404 and error.code != "model_not_found"
    return isinstance(error, NoSuchEndpoint)


def decide(backend: LMStudio, path: str, payload: Mapping[str, Any], call: BackendCall) -> dict[str, Any]:
    """Return the whole answer of SYSTEMONE or DECISIONS; see :func:`lacks_route` for a backend without that route.

    The model must be loaded: LM Studio documents no just-in-time loading for decision models.
    """
    seconds = backend.options.first_byte_timeout
    call.allow(seconds, f"LM Studio did not answer within {seconds} s")
    with backend.open("POST", path, call, orjson.dumps(payload)) as response:
        value = read_json(response, backend.options)
    if not isinstance(value, dict):
        raise BackendProtocolError("LM Studio's decision is not a JSON object")
    return value

"""Put questions to a decision model, over whichever of its two routes LM Studio has."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from flask_shim.lmstudio.errors import LMStudioError, NotSupported, lacks_route
from flask_shim.models.loader import ModelRequirements
from flask_shim.observability.request_context import current
from flask_shim.services import services
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.requests import DecisionRequest
from flask_shim.translate.ollama.systemone import systemone_payload
from flask_shim.translate.openai.decisions import decisions_payload, from_decisions

SYSTEMONE = "/v1/systemone"
"""TypeSafe's form, which LM Studio, llama.cpp and Ollama have."""
DECISIONS = "/v1/decisions"
"""OpenAI's form."""

NO_ROUTE = (
    "this version of LM Studio has no decision models: update LM Studio to one that serves /v1/systemone or "
    "/v1/decisions"
)


def decide(requirements: ModelRequirements, request: DecisionRequest) -> dict[str, Any]:
    """Return the answers as SYSTEMONE gives them; raise NotSupported if LM Studio has neither route."""
    with closing(services().manager.use(requirements)) as use:

        def send(named: Payload) -> dict[str, Any]:
            try:
                return use.client.post(SYSTEMONE, named, use.call)
            except LMStudioError as exc:
                if not lacks_route(exc):
                    raise
            payload = {**decisions_payload(request), "model": named["model"]}
            try:
                return from_decisions(request, use.client.post(DECISIONS, payload, use.call))
            except LMStudioError as exc:
                if not lacks_route(exc):
                    raise
                raise NotSupported(NO_ROUTE) from exc

        answer = use.send(send, systemone_payload(request))
    current().begin_output()
    return answer

"""Examples of requests; each works when its models are replaced by existing ones."""

from __future__ import annotations

from typing import Any, NamedTuple

Example = dict[str, Any]
Examples = dict[str, Example]
"""The bodies for one operation by their titles."""

EMBEDDER = "text-embedding-nomic-embed-text-v1.5"
"""Part of LM Studio's installation."""

OWN_NAME, COPIED_NAME = "my-assistant", "my-copy"

QUESTION = "Why is the sky blue?"

_TURNS = [{"role": "user", "content": QUESTION}]
_PICTURE_TURN = {"role": "user", "content": "What colour is this?"}

_TICKET = "The parcel came late. This is for shipping"
_TEAMS = {"shipping": "parcels that are late or damaged", "billing": "payments", "other": None}

RED_SQUARE = (
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mP8z0AaYGIY1TCqYdhqAABALgEfFO4+AgAAAABJRU5ErkJggg=="
)
"""A picture: 16 by 16 pixels, all red."""


class Models(NamedTuple):
    """The names the examples use."""

    chat: str
    vision: str
    embedding: str = EMBEDDER
    decision: str = "nimble"


def examples_of(models: Models) -> dict[str, Examples]:
    """Return the examples for every operation that has a body."""
    return {**_answers(models), **_names(models.chat), **_v1(models), **_service(models.chat)}


def _answers(models: Models) -> dict[str, Examples]:
    """Return the examples for Ollama's inference routes."""
    chat, vision, embedding, decision = models
    body = {"model": chat, "messages": _TURNS}
    return {
        "POST /api/chat": {
            "One answer": {**body, "stream": False},
            "A stream": {**body, "options": {"num_predict": 64}},
            "A picture": {"model": vision, "messages": [{**_PICTURE_TURN, "images": [RED_SQUARE]}], "stream": False},
            "Fitting a schema": {
                **body,
                "stream": False,
                "format": {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]},
                "options": {"temperature": 0, "num_predict": 128},
            },
        },
        "POST /api/generate": {
            "One answer": {"model": chat, "prompt": QUESTION, "stream": False},
            "A stream": {"model": chat, "prompt": QUESTION, "options": {"num_predict": 64}},
            "Load the model": {"model": chat, "keep_alive": "5m"},
        },
        "POST /api/embed": {"Two texts": {"model": embedding, "input": ["The sky is blue.", "Grass is green."]}},
        "POST /api/embeddings": {"One text": {"model": embedding, "prompt": "The sky is blue."}},
        "POST /v1/systemone": {
            "Three questions": {
                "model": decision,
                "state": _TICKET,
                "questions": {
                    "complaint": {"type": "noul", "instructions": "Does the writer complain?"},
                    "team": {"type": "choice", "instructions": "Who answers it?", "criteria": _TEAMS},
                    "urgency": {"type": "score", "instructions": "How urgent is it?", "criteria": ["later", "today"]},
                },
            }
        },
    }


def _names(chat: str) -> dict[str, Examples]:
    """Return the examples for Ollama's routes for names and files."""
    named = {"model": chat}
    return {
        "POST /api/show": {"A model": named},
        "POST /api/create": {
            "A name of one's own": {
                "model": OWN_NAME,
                "from": chat,
                "system": "You answer in one sentence.",
                "parameters": {"temperature": 0.2},
                "stream": False,
            }
        },
        "POST /api/copy": {"Another name": {"source": chat, "destination": COPIED_NAME}},
        "DELETE /api/delete": {"A name made here": {"model": COPIED_NAME}},
        "POST /api/pull": {"A model": {**named, "stream": False}},
        "POST /api/push": {"A model": {**named, "stream": False}},
    }


def _v1(models: Models) -> dict[str, Examples]:
    """Return the examples for OpenAI's and Anthropic's routes."""
    chat, _, embedding, decision = models
    body = {"model": chat, "messages": _TURNS}
    return {
        "POST /v1/chat/completions": {
            "One answer": body,
            "A stream": {**body, "stream": True, "max_tokens": 64},
        },
        "POST /v1/completions": {"One answer": {"model": chat, "prompt": "The sky is", "max_tokens": 16}},
        "POST /v1/embeddings": {"One text": {"model": embedding, "input": "The sky is blue."}},
        "POST /v1/decisions": {
            "One question": {
                "model": decision,
                "input": _TICKET,
                "questions": [
                    {
                        "type": "choice",
                        "name": "team",
                        "instructions": "Who answers it?",
                        "choices": [{"value": key, "description": text or key} for key, text in _TEAMS.items()],
                    }
                ],
            }
        },
        "POST /v1/responses": {"One answer": {"model": chat, "input": QUESTION}},
        "POST /v1/messages": {"One answer": {**body, "max_tokens": 64}},
        "POST /v1/messages/count_tokens": {"A question": body},
    }


def _service(chat: str) -> dict[str, Examples]:
    """Return the examples for the service routes and the operator's."""
    turns = {"messages": _TURNS, "config": {"temperature": 0.2, "maxTokens": 64}}
    turn = {**_PICTURE_TURN, "images": [{"data_base64": RED_SQUARE, "mime_type": "image/png"}]}
    return {
        "POST /models/load": {"A model": {"model_key": chat}},
        "POST /models/unload": {"Everything": {"unload_all": True}},
        "POST /chat": {"With a model": {"model_key": chat, **turns}, "With the default one": turns},
        "POST /chat/stream": {"With a model": {"model_key": chat, **turns}},
        "POST /chat/regular": {"A question": turns},
        "POST /chat/regular/stream": {"A question": turns},
        "POST /chat/vision": {"A picture": {"messages": [turn]}},
        "POST /chat/vision/stream": {"A picture": {"messages": [turn]}},
        "POST /shim/exchanges": {"For a quarter of an hour": {"limit": 20, "minutes": 15}},
        "POST /shim/models/load": {"For ten idle minutes": {"model": chat, "ttl_seconds": 600}},
        "POST /shim/models/unload": {"A model": {"model": chat}},
        "POST /shim/models/pull": {"A model": {"model": chat, "stream": False}},
    }

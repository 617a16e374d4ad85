"""Describe an application as OpenAPI, from its routes, their docstrings and the schemas of requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from flask import Flask
from marshmallow import Schema

from flask_shim import error_responses
from flask_shim._version import __version__
from flask_shim.config import Config
from flask_shim.openapi.examples import Example, Models, examples_of
from flask_shim.openapi.field_schemas import Plugin
from flask_shim.openapi.operations import JSON, OPERATIONS, STATE, TAGS, Operation
from flask_shim.openapi.operator_schemas import OPERATOR_REPLIES
from flask_shim.openapi.response_schemas import REPLIES, Shape, ref

VERSION = "3.1.0"

_HIDDEN_METHODS = frozenset({"OPTIONS"})
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

_INTRODUCTION = """\
An Ollama server whose models run in LM Studio. Every program that speaks to Ollama, OpenAI or Anthropic can use it.

The examples on this page name a model that exists. Answers that are streamed appear here when they are complete.
"""

_UNKNOWN = Operation(tag=STATE)

_PARAMETERS = {
    "digest": "`sha256:` and 64 hex digits.",
    "name": "A name; slashes may be part of it.",
    "rest": "The rest of the path, with its slashes.",
    "key": "A public key.",
    "exchange": "The id of a request, as in the `X-Request-ID` of its answer.",
    "id": "The id of a request, as in the header `X-Request-ID` of its answer.",
}

_OPENAI_ERROR = "OpenAIError"
_OTHER_ERRORS: dict[error_responses.Envelope, str] = {
    error_responses.ollama_error: "OllamaError",
    error_responses.anthropic_error: "AnthropicError",
    error_responses.service_error: "ServiceError",
}


def describe(app: Flask, config: Config, is_open: Callable[[str], bool]) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``.

    ``config`` provides version, keys and default models; ``is_open`` says which paths need no key.
    """
    spec = APISpec(
        title="flask-shim",
        version=__version__,
        openapi_version=VERSION,
        plugins=[Plugin()],
        info={"description": _INTRODUCTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "./"}],  # also below a path of a proxy
    )
    models = Models(config.default_regular_model, config.default_vision_model)
    for name, shape in (REPLIES | OPERATOR_REPLIES).items():
        spec.components.schema(name, shape)
    if config.api_keys:
        spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
        spec.options["security"] = [{"key": []}]
    for tag, what in TAGS.items():
        spec.tag({"name": tag, "description": what})
    examples = examples_of(models)
    places = {name: place for place, name in enumerate(OPERATIONS)}
    for name, doc in sorted(_docstrings(app).items(), key=lambda pair: (places.get(pair[0], len(places)), pair[0])):
        method, _, path = name.partition(" ")
        operation = _operation(name, doc, examples.get(name, {}))
        if is_open(path):
            operation["security"] = []
        spec.path(_PARAMETER.sub(r"{\1}", path), operations={method.lower(): operation})
    return {**spec.to_dict(), "x-example-models": models._asdict()}


def _docstrings(app: Flask) -> dict[str, str]:
    """Return every operation of the routes, and those of the table that a catch-all route answers."""
    found = {}
    for rule in app.url_map.iter_rules():
        methods = (rule.methods or set()) - _HIDDEN_METHODS
        for method in methods - {"HEAD"} if "GET" in methods else methods:
            found[f"{method} {rule.rule}"] = app.view_functions[rule.endpoint].__doc__ or ""
    for name in OPERATIONS.keys() - found.keys():
        method, _, path = name.partition(" ")
        if "<" not in path and app.url_map.bind("").test(path, method):
            found[name] = ""
    return found


def _operation(name: str, doc: str, examples: dict[str, Example]) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    known = OPERATIONS.get(name) or _UNKNOWN
    words = re.findall(r"\w+", _PARAMETER.sub(r"by \1", path))
    operation: dict[str, Any] = {
        "operationId": "_".join([method.lower(), *words]) + ("_" if path.endswith("/") else ""),
        "tags": [known.tag],
        **_words(doc, known.summary),
        "responses": _responses(path, known),
    }
    if parameters := _PARAMETER.findall(path):
        operation["parameters"] = [
            {
                "name": parameter,
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "description": _PARAMETERS.get(parameter, ""),
            }
            for parameter in parameters
        ]
    if known.body is not None:
        operation["requestBody"] = {"required": True, "content": _body(known.body, examples)}
    return operation


def _words(doc: str, summary: str) -> dict[str, str]:
    """Return the summary of an operation, and its description if there is more to say."""
    first = summary or doc.strip().partition("\n")[0]
    first, doc = first.replace("``", "`"), doc.replace("``", "`")
    brief = re.split("[;:]", first)[0].rstrip(".")
    whole = " ".join((summary or doc).split())
    return {"summary": brief} if whole == f"{brief}." else {"summary": brief, "description": whole}


def _body(body: type[Schema] | Shape, examples: dict[str, Example]) -> dict[str, Any]:
    is_form = isinstance(body, dict) and "file" in body.get("properties", {})
    content: dict[str, Any] = {"schema": body}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"multipart/form-data" if is_form else JSON: content}


def _responses(path: str, known: Operation) -> dict[str, Any]:
    content = {}
    if known.reply is not None:
        content[known.media] = {"schema": _shape(known.reply)}
    if known.stream is not None:
        media, piece = known.stream
        content[media] = {"schema": _shape(piece)}
    name = _OTHER_ERRORS.get(error_responses.envelope_of(path), _OPENAI_ERROR)
    error = {"description": "Why not.", "content": {JSON: {"schema": ref(name)}}}
    if known.status >= HTTPStatus.BAD_REQUEST:
        return {str(known.status): error | {"description": HTTPStatus(known.status).phrase}}
    good: dict[str, Any] = {"description": HTTPStatus(known.status).phrase}
    return {str(known.status): good | ({"content": content} if content else {}), "default": error}


def _shape(reply: str | Shape) -> Shape:
    return ref(reply) if isinstance(reply, str) else reply

"""The routes: one blueprint for each kind."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response

from flask_shim import dashboard
from flask_shim.routes import (
    account,
    alias_routes,
    anthropic_messages,
    api_docs,
    audio,
    decision_routes,
    embeddings,
    exchanges,
    health,
    models,
    ollama,
    openai_responses,
    operator,
    operator_models,
    passthrough,
    pull,
    service,
)

BLUEPRINTS = (
    health.bp,
    models.bp,
    ollama.bp,
    alias_routes.bp,
    embeddings.bp,
    pull.bp,
    openai_responses.bp,
    anthropic_messages.bp,
    audio.bp,
    decision_routes.bp,
    account.bp,
    service.bp,
    api_docs.bp,
    operator_models.bp,
    operator.bp,
    dashboard.bp,
    exchanges.bp,
    passthrough.bp,
)

CONSTANT = ("/api/version", "/health", "/healthz", "/ping")
"""Paths whose answer never changes."""

_WITH_HEAD = ("/", "/api/version", "/api/tags", "/api/blobs/<digest>", "/health", "/healthz", "/ping", "/ready")


def init_app(app: Flask) -> None:
    """Register the routes, each with the methods that Ollama's has."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    # Flask adds HEAD and OPTIONS to every route; Ollama answers 405 to most of them.
    for rule in app.url_map.iter_rules():
        methods = rule.methods or set()
        methods.discard("OPTIONS")
        if rule.rule not in _WITH_HEAD:
            methods.discard("HEAD")


def constant_answers(app: Flask) -> dict[str, Response]:
    """Return the answers to GET of :data:`CONSTANT` by their paths."""
    rules = {rule.rule: rule.endpoint for rule in app.url_map.iter_rules()}
    with app.app_context():
        return {path: cast("Response", app.view_functions[rules[path]]()) for path in CONSTANT}

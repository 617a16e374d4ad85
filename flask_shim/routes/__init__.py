"""The routes, one blueprint for each kind."""

from __future__ import annotations

from flask import Flask

from flask_shim.routes import (
    account,
    alias_routes,
    anthropic_messages,
    api_docs,
    audio,
    embeddings,
    health,
    models,
    ollama,
    openai_responses,
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
    account.bp,
    service.bp,
    api_docs.bp,
    passthrough.bp,
)

_WITH_HEAD = ("/", "/api/version", "/api/tags", "/api/blobs/<digest>", "/health", "/healthz", "/ping", "/ready")


def init_app(app: Flask) -> None:
    """Give ``app`` the routes, each with the methods it has at Ollama."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _tidy(app)


def _tidy(app: Flask) -> None:
    """Take back the HEAD and OPTIONS that Flask adds by itself where Ollama answers 405."""
    for rule in app.url_map.iter_rules():
        methods = rule.methods or set()
        methods.discard("OPTIONS")
        if rule.rule not in _WITH_HEAD:
            methods.discard("HEAD")

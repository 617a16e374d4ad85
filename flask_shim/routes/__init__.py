"""The routes, one blueprint for each kind."""

from __future__ import annotations

from flask import Flask

from flask_shim.routes import (
    account,
    aliases,
    audio,
    dialects,
    docs,
    embeddings,
    health,
    models,
    ollama,
    passthrough,
    paths,
    pull,
    service,
)

BLUEPRINTS = (
    health.bp,
    models.bp,
    ollama.bp,
    aliases.bp,
    embeddings.bp,
    pull.bp,
    dialects.bp,
    audio.bp,
    account.bp,
    service.bp,
    docs.bp,
    passthrough.bp,
)

_WITH_HEAD = ("/", "/api/version", "/api/tags", "/api/blobs/<digest>", "/health", "/healthz", "/ping", "/ready")


def install(app: Flask) -> None:
    """Give ``app`` the routes, each with the methods it has at Ollama, and paths in order."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _tidy(app)
    paths.install(app)


def _tidy(app: Flask) -> None:
    """Take back the HEAD and OPTIONS that Flask adds by itself where Ollama answers 405."""
    for rule in app.url_map.iter_rules():
        methods = rule.methods or set()
        methods.discard("OPTIONS")
        if rule.rule not in _WITH_HEAD:
            methods.discard("HEAD")

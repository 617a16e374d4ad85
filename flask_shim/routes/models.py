"""Ollama's lists: which models there are, what they can do, which are loaded."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from flask_shim.faces import json_response
from flask_shim.routes import naming
from flask_shim.schemas import load_show
from flask_shim.services import services
from flask_shim.stays import seconds_left
from flask_shim.translate.listing import to_ps, to_show, to_tags

PS_SECONDS = 1.0
"""How old a list may be that says what is loaded: VS Code polls it many times a second while it waits."""

bp = Blueprint("models", __name__)


@bp.get("/api/version")
def version() -> Response:
    """Say which Ollama's API this is."""
    return json_response({"version": services().config.ollama_version})


@bp.get("/api/tags")
def tags() -> Response:
    """List all models."""
    listing = services().backend.listing(must_answer=True)
    return json_response(to_tags(services().directory.entries(listing)))


@bp.post("/api/show")
def show() -> Response:
    """Describe one model."""
    ask = load_show(request.get_data(cache=False))
    services().backend.listing(must_answer=True)
    target = naming.resolve(ask.model, naming.SHOW)
    return json_response(to_show(target.entry, system=ask.system, options=ask.options))


@bp.get("/api/ps")
def ps() -> Response:
    """List the loaded models and when they will go."""
    listing = services().backend.listing(max_age=PS_SECONDS)
    now = time.monotonic()
    running = [
        (entry, seconds_left(services().residents.of(entry.model.key), now))
        for entry in services().directory.entries(listing)
        if entry.model.is_loaded
    ]
    return json_response(to_ps(running, time.time_ns()))

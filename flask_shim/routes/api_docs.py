"""The description of the API: OpenAPI for programs, and a page of Swagger UI that loads nothing from other servers."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, current_app
from werkzeug.exceptions import NotFound

from flask_shim.error_responses import JSON_UTF8
from flask_shim.middleware.access import is_open
from flask_shim.middleware.web_pages import DAY_SECONDS, file_response, make_cacheable, page_headers
from flask_shim.services import services

bp = Blueprint("docs", __name__)

_KEY = "flask_shim.openapi"

_HEADERS = page_headers(images="'self' data:")  # Swagger UI's icons

_OURS, _SWAGGER_UI = "flask_shim.openapi", "flask_swagger_ui"

FILES = {
    "page.css": (_OURS, "page/page.css"),
    "page.js": (_OURS, "page/page.js"),
    "swagger-ui.css": (_SWAGGER_UI, "dist/swagger-ui.css"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "dist/swagger-ui-bundle.js"),
    "favicon-32x32.png": (_SWAGGER_UI, "dist/favicon-32x32.png"),
    "LICENSE": (_SWAGGER_UI, "dist/LICENSE"),
}
"""The files of the page by their name below ``/docs/``: package, and path in there."""


@bp.get("/openapi.json")
def description() -> Response:
    """Describe this API as OpenAPI."""
    kept = current_app.extensions
    if _KEY not in kept:
        from flask_shim.openapi import describe  # rarely requested, and apispec is a twentieth of the start-up time

        kept[_KEY] = orjson.dumps(describe(current_app._get_current_object(), services().config, is_open))  # type: ignore[attr-defined]  # Flask's way to its application
    return make_cacheable(Response(kept[_KEY], content_type=JSON_UTF8), "no-cache")


@bp.get("/docs")
def docs() -> Response:
    """Redirect to the page."""
    # Relative, so that it also works below a path of a proxy.
    return Response(status=301, headers={"Location": "docs/"})


@bp.get("/docs/")
def page() -> Response:
    """Show this description as a page on which every request can be tried."""
    return file_response(_OURS, "page/index.html", _HEADERS, "no-cache")


@bp.get("/docs/<name>")
def page_file(name: str) -> Response:
    """Return a file of the page."""
    if name not in FILES:
        raise NotFound
    return file_response(*FILES[name], _HEADERS, f"max-age={DAY_SECONDS}")

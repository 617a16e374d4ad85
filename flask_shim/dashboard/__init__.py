"""The page at ``/shim/``: a template, ES modules and one stylesheet; its data comes from the JSON routes."""

from __future__ import annotations

from importlib.resources import files

from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import NotFound

from flask_shim._version import __version__
from flask_shim.middleware.operator_access import CSRF_COOKIE, page_token
from flask_shim.middleware.web_pages import file_response, page_headers

bp = Blueprint("dashboard", __name__, template_folder="templates")

_HEADERS = page_headers()

FILES = frozenset(file.name for file in files(__name__).joinpath("static").iterdir())
"""The names below ``/shim/static/``."""


@bp.get("/shim")
def redirect_to_page() -> Response:
    """Redirect to the page."""
    # Relative, so that it also works below a path of a proxy.
    return Response(status=301, headers={"Location": "shim/"})


@bp.get("/shim/")
def page() -> Response:
    """Show what this server does, for a browser."""
    token = page_token(request.cookies.get(CSRF_COOKIE, ""))
    html = render_template("page.html", version=__version__, token=token)
    response = Response(html, content_type="text/html; charset=utf-8", headers=_HEADERS)
    response.headers["Cache-Control"] = "no-store"
    # Without a path: the browser takes that of the page, also below a path of a proxy.
    response.set_cookie(CSRF_COOKIE, token, path=None, samesite="Strict", httponly=True)
    return response


@bp.get("/shim/static/<name>")
def static_file(name: str) -> Response:
    """Return a file of the page."""
    if name not in FILES:
        raise NotFound
    return file_response(__name__, f"static/{name}", _HEADERS, "no-cache")

"""The OpenAPI description of the application, for ``/openapi.json`` and the page at ``/docs``."""

from __future__ import annotations

from flask_shim.openapi.description import describe

__all__ = ["describe"]

"""The description of the API, made from what runs: for programs at ``/openapi.json``, for people at ``/docs``."""

from __future__ import annotations

from flask_shim.openapi.description import describe

__all__ = ["describe"]

"""A miniature LM Studio for the demo and the tests: its HTTP API in front of a real llama.cpp engine."""

from __future__ import annotations

from flask_shim.embedded.run import Miniature
from flask_shim.embedded.server import create_miniature
from flask_shim.embedded.settings import Settings

__all__ = ["Miniature", "Settings", "create_miniature"]

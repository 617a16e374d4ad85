"""A miniature LM Studio for the demo and the tests: its HTTP API in front of a real llama.cpp engine."""

from __future__ import annotations

from .run import Miniature
from .server import create_miniature
from .settings import Settings

__all__ = ["Miniature", "Settings", "create_miniature"]

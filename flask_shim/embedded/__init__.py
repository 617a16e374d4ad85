"""A miniature LM Studio for the demo and the tests: its HTTP API in front of a real llama.cpp engine."""

from __future__ import annotations

from flask_shim.embedded.mini_app import create_miniature
from flask_shim.embedded.mini_settings import MiniSettings
from flask_shim.embedded.run_server import MiniLMStudio

__all__ = ["MiniLMStudio", "MiniSettings", "create_miniature"]

"""An Ollama server whose models run in LM Studio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_shim._version import __version__

if TYPE_CHECKING:
    from flask_shim.app import create_app

__all__ = ["__version__", "create_app"]


def __getattr__(name: str) -> Any:
    # Late, so that flask_shim.lmstudio can be imported where Flask is not installed.
    if name == "create_app":
        from flask_shim.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""An Ollama server whose models run in LM Studio."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flask_shim._version import __version__

if TYPE_CHECKING:
    from flask_shim.app import create_app

__all__ = ["__version__", "create_app"]


def __getattr__(name: str) -> Any:
    # Imported on demand, so that flask_shim.lmstudio works where Flask is not installed.
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "waitress.runner" in sys.modules:
        # ``waitress-serve --call flask_shim:create_app``, as in service files of earlier versions: the server's start
        # sets up the log and reports mistakes in the settings without a traceback.
        from flask_shim.wsgi import create_server_app

        return create_server_app
    from flask_shim.app import create_app

    return create_app

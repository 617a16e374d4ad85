"""Starts from a checkout: ``waitress-serve --listen=127.0.0.1:11434 main:app`` and ``python main.py``."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Build ``app`` when it is first read, so that importing this file has no effect."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from flask_shim import wsgi

    return wsgi.app


if __name__ == "__main__":
    from flask_shim.cli import main

    main()

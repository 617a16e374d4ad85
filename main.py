"""Two starts from a checkout: ``waitress-serve --listen=127.0.0.1:11434 main:app`` and ``python main.py``."""

from __future__ import annotations

import sys
from typing import Any


def __getattr__(name: str) -> Any:
    """Build ``app`` when it is first asked for, so that importing this file does nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from flask_shim import create_app
    from flask_shim.config import ConfigError

    try:
        app = globals()["app"] = create_app()
    except ConfigError as exc:
        sys.stderr.write(f"{exc}\n")
        raise SystemExit(2) from None
    return app


if __name__ == "__main__":
    from flask_shim.cli import main

    main()

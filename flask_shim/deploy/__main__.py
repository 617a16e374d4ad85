"""Write the files of ``config/``: ``python -m flask_shim.deploy`` from the top of the checkout."""

from __future__ import annotations

from pathlib import Path

from flask_shim.deploy.rendering import write

if __name__ == "__main__":
    write(Path("config"))

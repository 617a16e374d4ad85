"""``python -m flask_shim`` is ``flask-shim``."""

from flask_shim.cli import main

if __name__ == "__main__":
    main()

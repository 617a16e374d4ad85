"""Run the application under waitress: listeners, one process or several, graceful shutdown.

``flask-shim serve`` is ``open_listeners`` and ``run``. ``waitress_arguments`` are the same settings for
``waitress-serve``, which ends at once on SIGTERM.
"""

from flask_shim.serving.listeners import BindError, open_listeners, urls_of
from flask_shim.serving.run_loop import run
from flask_shim.serving.waitress_settings import adjustments, waitress_arguments

__all__ = ["BindError", "adjustments", "open_listeners", "run", "urls_of", "waitress_arguments"]

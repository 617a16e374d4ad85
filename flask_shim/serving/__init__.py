"""Starting and stopping: waitress as the shim wants it, on its addresses, in one process or in several.

``open_listeners`` and ``run`` are what ``flask-shim serve`` consists of; ``waitress_arguments`` gives the same server
to those who start ``waitress-serve`` themselves (which then stops in waitress' way: at once on SIGTERM).
"""

from flask_shim.serving.listeners import BindError, open_listeners, urls_of
from flask_shim.serving.run_loop import run
from flask_shim.serving.waitress_settings import adjustments, waitress_arguments

__all__ = ["BindError", "adjustments", "open_listeners", "run", "urls_of", "waitress_arguments"]

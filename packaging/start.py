"""Start of the one-folder build: flask-shim, which starts itself as Python does for ``-m``."""

from __future__ import annotations

import runpy
import sys

MODULES = ("flask_shim", "flask_shim.serving.worker")
"""What workers and the Windows service are started as."""

if sys.argv[1:2] == ["-m"] and sys.argv[2:3] and sys.argv[2] in MODULES:
    module = sys.argv[2]
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
else:
    from flask_shim.cli import main

    main()

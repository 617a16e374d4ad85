"""Every setting there is, in one table: what is read, what the documentation says and the example file come from it."""

from __future__ import annotations

from flask_shim.settings.backend import BACKEND
from flask_shim.settings.behaviour import BEHAVIOUR
from flask_shim.settings.guards import GUARDS
from flask_shim.settings.server import SERVER
from flask_shim.settings.setting import Setting

SETTINGS: tuple[Setting, ...] = BACKEND + SERVER + GUARDS + BEHAVIOUR

__all__ = ["SETTINGS", "Setting"]

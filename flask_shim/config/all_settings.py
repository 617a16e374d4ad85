"""Every setting there is, in one table: what is read, what the documentation says and the example file come from it."""

from __future__ import annotations

from flask_shim.config.access_settings import GUARDS
from flask_shim.config.backend_settings import BACKEND
from flask_shim.config.behavior_settings import BEHAVIOUR
from flask_shim.config.server_settings import SERVER
from flask_shim.config.setting import Setting

SETTINGS: tuple[Setting, ...] = BACKEND + SERVER + GUARDS + BEHAVIOUR

__all__ = ["SETTINGS", "Setting"]

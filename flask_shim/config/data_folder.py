"""Whether the names that users make can be kept: looked at when the shim starts, not when the first one is made."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from flask_shim.config import Config, ConfigError

log = logging.getLogger(__name__)


def why_unwritable(folder: Path) -> str | None:
    """Say why nothing could be kept in a folder, None if it could; one that does not exist yet is not made."""
    try:
        place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        # Made and deleted: what may be written here is known to the system only, on Windows most of all. Not with
        # tempfile, which takes a refusal there for a name that is taken, and tries the next one for ever.
        probe = place / f".flask-shim-{secrets.token_hex(8)}"
        probe.mkdir()
        probe.rmdir()
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def check(config: Config) -> None:
    """Raise ConfigError if the folder that the settings name can't be written to.

    Where they name none, a warning does: a service without a home has no need of one until somebody makes a name.
    """
    reason = None if config.read_only else why_unwritable(config.data_dir)
    if reason is None:
        return
    if config.data_dir != Config().data_dir:
        raise ConfigError((f"SHIM_DATA_DIR={str(config.data_dir)!r}: Can't be written to: {reason}.",))
    log.warning("names made with copy and create cannot be kept in %s: %s; see SHIM_DATA_DIR", config.data_dir, reason)

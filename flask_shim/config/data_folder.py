"""Create private files in the data folder, and check at start that it is writable, before a client needs that."""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from pathlib import Path

from flask_shim.config import Config, ConfigError

log = logging.getLogger(__name__)


def why_unwritable(folder: Path) -> str | None:
    """Return why a folder is not writable, None if it is; a missing folder is not created."""
    try:
        # A drive of Windows may be missing as a whole; then the attempt below tells the reason.
        parent = next((parent for parent in (folder, *folder.absolute().parents) if parent.exists()), folder)
        # Only an attempt shows whether Windows allows it. tempfile treats PermissionError there as a name collision and
        # retries forever.
        probe = parent / f".flask-shim-{secrets.token_hex(8)}"
        probe.mkdir()
        probe.rmdir()
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def create_private(path: Path) -> None:
    """Create a missing file and its missing folders for this user only."""
    for folder in reversed(path.parents):
        folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)


def check(config: Config) -> None:
    """Create the folder that SHIM_DATA_DIR names; raise ConfigError if it can't be written.

    For the default folder this is a warning: a service without a home folder needs it only for aliases.
    """
    if config.read_only:
        return
    is_default = config.data_dir == Config().data_dir
    reason = why_unwritable(config.data_dir)
    if reason is None and not is_default:
        try:
            config.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            reason = exc.strerror or str(exc)
    if reason is None:
        return
    if not is_default:
        raise ConfigError((f"SHIM_DATA_DIR={str(config.data_dir)!r}: Can't be written to: {reason}.",))
    log.warning("names made with copy and create cannot be kept in %s: %s; see SHIM_DATA_DIR", config.data_dir, reason)

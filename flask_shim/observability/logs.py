"""The log: one line of printable ASCII for every record of any logger, without keys."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from flask_shim.config import Config, ConfigError
from flask_shim.observability.log_queue import QueuedHandler
from flask_shim.observability.request_context import current_id

log = logging.getLogger(__name__)

# An application that uses the package decides whether anything is written.
logging.getLogger("flask_shim").addHandler(logging.NullHandler())

QUIET = ("urllib3", "werkzeug", "waitress.queue")
"""Loggers whose news are none: each connection, each request, each request that waits for a thread."""

LONGEST_LINE = 32_768
"""Longer than any traceback; waitress quotes what clients send, and they may send more."""

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127)} | {9: "\\t", 10: "\\n", 13: "\\r"}
_CREDENTIAL = re.compile(r"""(\bbearer\s+|\bx-api-key['"]?\s*[:=,]\s*['"]?)[^\s'"]+""", re.IGNORECASE)
_AMBIGUOUS = re.compile(r"""[\s"'=]""")
_REDACTED = "***"


def configure(config: Config) -> bool:
    """Set up the root logger unless it has handlers; return whether it was set up.

    Records go to standard error and to ``config.log_file``. Raises ConfigError if that file cannot be written.
    """
    root = logging.getLogger()
    if root.handlers:
        return False
    for target in (*_console(), *_file(config)):
        handler = QueuedHandler(target)
        handler.setFormatter(OneLine((*config.api_keys, config.backend_token)))
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if config.debug else logging.INFO)
    for name in () if config.debug else QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)
    threading.excepthook = _thread_died
    if config.debug:
        log.warning("SHIM_DEBUG is on: the log is detailed, with LM Studio's own words, which may quote prompts")
    for note in config.notes:
        log.info("%s", note)
    return True


def flush() -> bool:
    """Wait until the log so far is written, as far as that goes in time; tell whether it is."""
    ours = (handler for handler in logging.getLogger().handlers if isinstance(handler, QueuedHandler))
    return not [handler for handler in ours if not handler.is_written()]  # every one, not only up to the first


def finish() -> None:
    """Write what is left of the log, as the last thing that a process does.

    If the target accepts nothing, such as a console with marked text or an unread pipe, the process ends at once:
    the interpreter's own end would wait for that place, too.
    """
    if not flush():
        os._exit(0)


def _console() -> list[logging.Handler]:
    # A Windows service and pythonw have no standard error.
    return [] if sys.stderr is None else [logging.StreamHandler(sys.stderr)]


def _file(config: Config) -> list[logging.Handler]:
    path = config.log_file
    if path is None:
        return []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return [RotatingFile(path, maxBytes=config.log_max_bytes, backupCount=config.log_backups, encoding="utf-8")]
    except OSError as exc:
        raise ConfigError((f"SHIM_LOG_FILE={path}: {exc.strerror or exc}.",)) from exc


def _thread_died(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "-"
    log.critical("thread died name=%s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


class RotatingFile(RotatingFileHandler):
    """A rotating file that keeps its size without backups too, and loses no line where it can't be renamed."""

    def doRollover(self) -> None:  # noqa: N802  the library's name
        """Begin a new file; go on with the old one while another program holds it open: Windows won't rename it."""
        if self.stream and not self.backupCount:
            self.stream.truncate(0)
            return
        if self.stream:
            self.stream.close()
            self.stream = None
        # Out of the way first, so that the backups move up only when there is one more of them.
        with suppress(OSError):  # the old file is written on, and its size tried again with the next line
            Path(self.baseFilename).replace(self._full)
            super().doRollover()
        if self.stream is None:
            self.stream = self._open()

    def rotate(self, source: str, dest: str) -> None:  # noqa: ARG002  what was ``source`` has been moved already
        """Make the full file the first backup."""
        self._full.replace(dest)

    @property
    def _full(self) -> Path:
        return Path(f"{self.baseFilename}.full")


class OneLine(logging.Formatter):
    """``time LEVEL logger id=… message``, with everything that is not printable ASCII escaped."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """``keys`` never appear, wherever they come from."""
        super().__init__()
        known = "|".join(re.escape(key) for key in sorted(set(keys), key=len, reverse=True) if key)
        self._known = re.compile(rf"(?<!\w)(?:{known})(?!\w)") if known else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without an end."""
        text = record.getMessage()
        if record.exc_info:
            text = f"{text} trace={self.formatException(record.exc_info)}"
        if record.stack_info:
            text = f"{text} stack={record.stack_info}"
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{seconds}.{int(record.msecs):03d}Z {record.levelname} {record.name} id={current_id()} "
        return escaped(head + self._redacted(text)[:LONGEST_LINE])  # in this order: half a key is still too much

    def _redacted(self, text: str) -> str:
        text = _CREDENTIAL.sub(rf"\g<1>{_REDACTED}", text)
        return self._known.sub(_REDACTED, text) if self._known else text


def escaped(text: str) -> str:
    """Return ``text`` with escapes for whatever could begin a line, steer a terminal or turn its direction around."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_ESCAPES).encode("ascii", "backslashreplace").decode("ascii")


def quoted(value: object) -> str:
    """Return ``value`` as it stands behind ``key=``: between quotes if it could be taken for more than one value."""
    text = str(value)
    if text and not _AMBIGUOUS.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

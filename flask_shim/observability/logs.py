"""Set up the log: one line of printable ASCII for each record of any logger, without keys."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from flask_shim.config import Config, ConfigError
from flask_shim.observability.log_queue import QueuedHandler
from flask_shim.observability.request_context import current_id

log = logging.getLogger(__name__)

# An application that uses the package as a library sets up its own log.
logging.getLogger("flask_shim").addHandler(logging.NullHandler())

QUIET = ("urllib3", "werkzeug", "waitress.queue")
"""Loggers that report each connection, each request, and each request that waits for a thread."""

LONGEST_LINE = 32_768
"""Longer than a traceback; waitress quotes what clients send, which may be longer."""

RECENT_LINES = 500
RECENT_LENGTH = 2000
"""How many lines are kept in memory for the operator, and how much of each."""

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127)} | {9: "\\t", 10: "\\n", 13: "\\r"}
_CREDENTIAL = re.compile(r"""(\bbearer\s+|\bx-api-key['"]?\s*[:=,]\s*['"]?)[^\s'"]+""", re.IGNORECASE)
_AMBIGUOUS = re.compile(r"""[\s"'=]""")
_REDACTED = "***"

_LINE = "flask_shim.line"
"""Name of the attribute of log records that has their line."""


def configure(config: Config) -> bool:
    """Set up the root logger unless it has handlers; return whether it was set up.

    Records go to standard error and to ``config.log_file``. Raises ConfigError if that file cannot be written.
    """
    root = logging.getLogger()
    if root.handlers:
        return False
    # A Windows service and pythonw have no standard error.
    console = [] if sys.stderr is None else [logging.StreamHandler(sys.stderr)]
    for target in (*console, *_file(config)):
        root.addHandler(QueuedHandler(target))
    root.addHandler(RecentLines())
    redact(config)
    root.setLevel(logging.DEBUG if config.debug else logging.INFO)
    for name in () if config.debug else QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)
    threading.excepthook = _thread_died
    if config.debug:
        log.warning("SHIM_DEBUG is on: the log has LM Studio's error texts, which may quote prompts")
    for note in config.notes:
        log.info("%s", note)
    return True


def redact(*configs: Config) -> None:
    """Keep the keys and tokens of these settings out of the log from now on."""
    secrets = [secret for config in configs for secret in (*config.api_keys, config.backend_token)]
    secrets += [backend.token for config in configs for backend in config.file.backends]
    formatter = OneLine(secrets)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedHandler | RecentLines):
            handler.setFormatter(formatter)


def recent_lines() -> list[dict[str, str]]:
    """Return the level and the text of the last lines, none unless :func:`configure` has set up the log."""
    ours = (handler for handler in logging.getLogger().handlers if isinstance(handler, RecentLines))
    return [line for handler in ours for line in tuple(handler.lines)]


def flush() -> bool:
    """Wait for a limited time until the log so far is written; return whether it is."""
    ours = (handler for handler in logging.getLogger().handlers if isinstance(handler, QueuedHandler))
    return not [handler for handler in ours if not handler.is_written()]  # waits for each of them


def finish() -> None:
    """Write the rest of the log, as the last step of a process.

    If a target is stuck, such as a console with marked text or an unread pipe, the process ends at once, because the
    interpreter's shutdown would wait for it, too.
    """
    if not flush():
        os._exit(0)


def leave_out_of_records() -> None:
    """Do not look up for each record what no line shows, as "Optimization" in Python's logging HOWTO describes.

    Only where no other program logs in this process: gunicorn's lines show the number of the process.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    vars(logging).update(logAsyncioTasks=False, _srcfile=None)


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


class RecentLines(logging.Handler):
    """Keeps the last lines in memory."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.lines: deque[dict[str, str]] = deque(maxlen=RECENT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line of a record."""
        self.lines.append({"level": record.levelname, "text": self.format(record)[:RECENT_LENGTH]})


class RotatingFile(RotatingFileHandler):
    """A rotating file that keeps its size also without backups, and loses no line when it can't be renamed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, in a new file if another process has renamed or deleted the old one, as logrotate does."""
        if self.stream and not self._is_in_place(self.stream.fileno()):
            self.stream.close()
            self.stream = None  # the library opens it again
        super().emit(record)

    def _is_in_place(self, number: int) -> bool:
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(number))
        except OSError:
            return False

    def doRollover(self) -> None:  # noqa: N802  the library's name
        """Begin a new file; keep the old one while another program has it open, as Windows can't rename it then."""
        if self.stream and not self.backupCount:
            self.stream.truncate(0)
            return
        if self.stream:
            self.stream.close()
            self.stream = None
        # The full file is moved first, so that the backups move up only if that succeeds.
        with suppress(OSError):  # keep the old file, and try again with the next line
            Path(self.baseFilename).replace(self._full)
            super().doRollover()
        if self.stream is None:
            self.stream = self._open()

    def rotate(self, source: str, dest: str) -> None:  # noqa: ARG002  ``source`` has been moved
        """Make the full file the first backup."""
        self._full.replace(dest)

    @property
    def _full(self) -> Path:
        return Path(f"{self.baseFilename}.full")


class OneLine(logging.Formatter):
    """``time LEVEL logger id=… message``, with everything that is not printable ASCII escaped."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Redact ``keys`` wherever they appear."""
        super().__init__()
        known = "|".join(re.escape(key) for key in sorted(set(keys), key=len, reverse=True) if key)
        self._known = re.compile(rf"(?<!\w)(?:{known})(?!\w)") if known else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without a line end; it is made once for all handlers."""
        if (line := record.__dict__.get(_LINE)) is None:
            line = record.__dict__[_LINE] = self._line(record)
        return str(line)

    def _line(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text} trace={self.formatException(record.exc_info)}"
        if record.stack_info:
            text = f"{text} stack={record.stack_info}"
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{seconds}.{int(record.msecs):03d}Z {record.levelname} {record.name} id={current_id()} "
        # Redacted before it is cut, so that no half of a key remains.
        if "bearer" in (lower := text.lower()) or "x-api-key" in lower:  # the expression takes long for each line
            text = _CREDENTIAL.sub(rf"\g<1>{_REDACTED}", text)
        text = self._known.sub(_REDACTED, text) if self._known else text
        return escaped(head + text[:LONGEST_LINE])


def escaped(text: str) -> str:
    """Escape what is not printable ASCII: line ends, terminal sequences, marks that change the direction of text."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_ESCAPES).encode("ascii", "backslashreplace").decode("ascii")


def quoted(value: object) -> str:
    """Return ``value`` as written after ``key=``, in quotes if it has blanks, quotes or ``=``."""
    text = str(value)
    if text and not _AMBIGUOUS.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

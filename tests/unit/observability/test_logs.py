"""Setting up the log: where it goes, that files stay small, and that a log which is there already is left alone."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from flask_shim.config import Config, ConfigError
from flask_shim.observability import logs
from flask_shim.observability.logs import QUIET, RotatingFile


@contextlib.contextmanager
def fresh_process(handlers=()):
    """Give the root logger only these handlers, as in a process of its own, and put everything back at the end."""
    root = logging.getLogger()
    before, hook = root.handlers, threading.excepthook
    levels = {name: logging.getLogger(name).level for name in (None, *QUIET)}
    root.handlers = list(handlers)
    try:
        yield root
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers, threading.excepthook = before, hook
        logging.captureWarnings(False)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


logger = logging.getLogger("flask_shim.test")


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_records_go_to_standard_error(capsys):
    with fresh_process():
        assert logs.configure(Config())
        logger.info("a=%s", "\u2028b")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(" INFO flask_shim.test id=- a=\\u2028b\n")


def test_records_of_other_programs_in_the_process_keep_its_number():
    with fresh_process():
        logs.configure(Config())
        assert logging.LogRecord("gunicorn.error", logging.INFO, "", 0, "", None, None).process == os.getpid()


def test_records_also_go_to_a_file_in_folders_that_are_made(tmp_path, capsys):
    path = tmp_path / "new" / "shim.log"
    with fresh_process():
        logs.configure(Config(log_file=path))
        logger.warning("model=%s", "qwen\xe9")
    assert lines(path)[-1].endswith(r" WARNING flask_shim.test id=- model=qwen\xe9")
    assert capsys.readouterr().err.splitlines() == lines(path)


def test_a_process_without_standard_error_writes_to_its_file_alone(tmp_path, monkeypatch):
    with fresh_process() as root, monkeypatch.context() as service:
        service.setattr(sys, "stderr", None)
        logs.configure(Config(log_file=tmp_path / "shim.log"))
        logger.info("x")
        handler, _ = root.handlers
        assert type(handler.target) is RotatingFile
    assert len(lines(tmp_path / "shim.log")) == 1


def test_a_file_that_cannot_be_written_is_a_mistake_in_the_settings(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    config = Config(log_file=tmp_path / "file" / "shim.log")
    with fresh_process() as root:
        with pytest.raises(ConfigError, match=r"SHIM_LOG_FILE=.*shim\.log: "):
            logs.configure(config)
        assert root.handlers == []


def test_logging_configured_elsewhere_is_kept(tmp_path):
    theirs = logging.NullHandler()
    with fresh_process([theirs]) as root:
        level = root.level
        assert not logs.configure(Config(log_file=tmp_path / "shim.log", debug=True))
        assert (root.handlers, root.level) == ([theirs], level)
    assert not (tmp_path / "shim.log").exists()


@pytest.mark.parametrize(("debug", "is_written"), [(False, False), (True, True)])
def test_details_are_written_only_on_request(capsys, debug, is_written):
    with fresh_process():
        logs.configure(Config(debug=debug))
        logger.debug("detail")
        logging.getLogger("urllib3.connectionpool").warning("retrying")
    err = capsys.readouterr().err
    assert ("DEBUG flask_shim.test id=- detail" in err) is is_written
    assert ("retrying" in err) is is_written
    assert ("SHIM_DEBUG is on" in err) is is_written


def test_the_log_begins_with_what_is_to_say_about_the_settings(capsys):
    with fresh_process():
        logs.configure(Config(notes=("SHIM_PORT not set: PORT=8080 is used",)))
    assert "INFO flask_shim.observability.logs id=- SHIM_PORT not set: PORT=8080 is used\n" in capsys.readouterr().err


def test_keys_of_the_settings_are_never_written(capsys):
    config = Config(api_keys=("key-one", "key-two"), backend_token="the-token")
    with fresh_process():
        logs.configure(config)
        logger.error("%s %s %s %r", "key-one", "key-two", "the-token", config)
    err = capsys.readouterr().err
    assert not [secret for secret in ("key-one", "key-two", "the-token") if secret in err]


def test_a_thread_that_dies_leaves_one_line(capsys):
    with fresh_process():
        logs.configure(Config())
        thread = threading.Thread(target=lambda: 1 / 0, name="worker")
        thread.start()
        thread.join()
    err = capsys.readouterr().err
    assert "CRITICAL flask_shim.observability.logs id=- thread died name=worker trace=Traceback" in err
    assert err.count("\n") == 1


def test_warnings_of_libraries_are_lines_of_the_log(capsys):
    with fresh_process(), warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(Config())
        warnings.warn("old\nstyle", stacklevel=1)
    err = capsys.readouterr().err
    assert "WARNING py.warnings" in err
    assert err.count("\n") == 1


def written(path, count, *, size, backups):
    handler = RotatingFile(path, maxBytes=size, backupCount=backups, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    for number in range(count):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 1, f"line {number:03d}", (), None))
    handler.close()


def test_a_full_file_becomes_a_backup_and_the_oldest_is_deleted(tmp_path):
    path = tmp_path / "shim.log"
    written(path, 12, size=30, backups=2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["shim.log", "shim.log.1", "shim.log.2"]
    kept = lines(tmp_path / "shim.log.2") + lines(tmp_path / "shim.log.1") + lines(path)
    assert kept == [f"line {number:03d}" for number in range(12 - len(kept), 12)]


def test_without_backups_a_full_file_is_truncated(tmp_path):
    path = tmp_path / "shim.log"
    written(path, 12, size=30, backups=0)
    assert [file.name for file in tmp_path.iterdir()] == ["shim.log"]
    assert lines(path)[-1] == "line 011"
    assert path.stat().st_size <= 30


def test_a_file_without_a_size_limit_is_never_rotated(tmp_path):
    written(tmp_path / "shim.log", 100, size=0, backups=2)
    assert len(lines(tmp_path / "shim.log")) == 100


def test_a_file_another_program_holds_open_is_written_on(tmp_path, monkeypatch):
    """Windows refuses to rename it; no line is lost, and no backup moves up for nothing."""
    path = tmp_path / "shim.log"
    written(path, 6, size=30, backups=2)
    before = lines(tmp_path / "shim.log.1")
    real = Path.replace

    def refuse(self, target):
        if self == path:
            raise PermissionError(13, "in use")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    written(path, 50, size=30, backups=2)
    assert lines(path)[-50:] == [f"line {number:03d}" for number in range(50)]
    assert lines(tmp_path / "shim.log.1") == before
    monkeypatch.undo()
    written(path, 1, size=30, backups=2)
    assert lines(path) == ["line 000"]


@pytest.mark.skipif("os.name == 'nt'", reason="Windows does not rename a file that is open")
@pytest.mark.parametrize("move", [lambda path: path.rename(path.with_suffix(".old")), Path.unlink])
def test_a_file_that_logrotate_has_moved_is_begun_again(tmp_path, move):
    path = tmp_path / "shim.log"
    handler = RotatingFile(path, encoding="utf-8")
    handler.emit(logging.LogRecord("x", logging.INFO, "", 1, "before", (), None))
    move(path)
    handler.emit(logging.LogRecord("x", logging.INFO, "", 1, "after", (), None))
    handler.close()
    assert lines(path) == ["after"]


def test_a_backup_another_program_holds_open_costs_no_line(tmp_path, monkeypatch):
    path = tmp_path / "shim.log"
    written(path, 6, size=30, backups=1)
    monkeypatch.setattr("os.remove", lambda _: (_ for _ in ()).throw(PermissionError(13, "in use")))
    written(path, 3, size=30, backups=1)
    assert lines(path)[-1] == "line 002"


@pytest.mark.parametrize(
    "script",
    [
        "import flask_shim.observability.logs, logging; logging.getLogger('flask_shim.lmstudio').error('x')",
        "from flask_shim.app import *; create_app(Config()).test_client().get('/no/such/path', buffered=True)",
    ],
)
def test_importing_the_package_writes_no_log(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_last_lines_are_kept_in_memory_without_keys(monkeypatch):
    monkeypatch.setattr(logs, "RECENT_LINES", 2)
    assert logs.recent_lines() == []
    with fresh_process():
        logs.configure(Config(api_keys=("secret",)))
        for text in ("one", "two", "key=secret"):
            logger.warning(text)
        levels, texts = zip(*(line.values() for line in logs.recent_lines()), strict=True)
    assert levels == ("WARNING", "WARNING")
    assert [text.partition(" id=- ")[2] for text in texts] == ["two", "key=***"]

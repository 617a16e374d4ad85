"""Logging does not wait for its target, and lost lines are reported."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

import pytest
from support.demo import Shim
from support.raw_http import exchange

from flask_shim.observability import log_queue
from flask_shim.observability.log_queue import QueuedHandler


class Console(logging.Handler):
    """A target that blocks while it is not writable, as a console of Windows does while text in it is selected."""

    def __init__(self):
        super().__init__()
        self.writable = threading.Event()
        self.writable.set()
        self.has_blocked = threading.Event()
        self.lines = []
        self.is_closed = False

    def emit(self, record):
        if not self.writable.is_set():
            self.has_blocked.set()
            assert self.writable.wait(20)
        self.lines += self.format(record).splitlines()

    def close(self):
        self.is_closed = True
        super().close()


@pytest.fixture
def console():
    return Console()


@pytest.fixture
def logger(console):
    """A logger whose records a QueuedHandler writes to ``console``."""
    made, handler = logging.getLogger("test of the log queue"), QueuedHandler(console)
    made.setLevel(logging.INFO)
    made.propagate = False
    made.addHandler(handler)
    yield made
    console.writable.set()
    handler.close()
    made.removeHandler(handler)


def end(logger):
    for handler in logger.handlers:
        handler.close()


def test_every_line_is_there_at_the_end_in_its_order(logger, console):
    for number in range(5000):
        logger.info("line %d", number)
    end(logger)
    assert console.lines == [f"line {number}" for number in range(5000)]
    assert console.is_closed


def test_flush_waits_for_earlier_records(logger, console):
    for number in range(3):
        logger.info("line %d", number)
        logger.handlers[0].flush()
        assert console.lines[-1] == f"line {number}"
    end(logger)
    logger.handlers[0].flush()


def test_a_line_is_written_soon_though_none_follows(logger, console, until):
    logger.info("alone")
    until(lambda: console.lines == ["alone"])


def test_lines_of_many_threads_stay_whole(logger, console):
    def chatter(name):
        for number in range(200):
            logger.info("%s %d", name, number)

    threads = [threading.Thread(target=chatter, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end(logger)
    for name in "abcd":
        assert [line for line in console.lines if line[0] == name] == [f"{name} {number}" for number in range(200)]


def test_full_queue_drops_and_counts_without_waiting(logger, console, monkeypatch, caplog, until):
    monkeypatch.setattr(log_queue, "MAX_WAITING", 100)
    console.writable.clear()
    logger.info("first")
    assert console.has_blocked.wait(10)
    for number in range(150):
        logger.info("line %d", number)
    console.writable.set()
    until(lambda: console.lines[-1:] == ["line 99"])
    logger.info("last")
    end(logger)
    assert console.lines == ["first", *(f"line {number}" for number in range(100)), "last"]
    assert "lines lost n=50" in caplog.messages


def test_closing_does_not_wait_for_a_stuck_console(logger, console, monkeypatch):
    monkeypatch.setattr(log_queue, "CLOSE_SECONDS", 0.1)
    console.writable.clear()
    logger.info("x")
    assert console.has_blocked.wait(10)
    end(logger)
    assert not console.is_closed


def test_record_that_cannot_be_formatted_costs_only_itself(logger, console, capsys):
    logger.handlers[0].handle(logging.LogRecord("x", logging.INFO, "", 1, "%d", ("no number",), None))
    logger.info("after")
    end(logger)
    assert console.lines == ["after"]
    assert "TypeError" in capsys.readouterr().err


class FullDisk(Console):
    """A target that fails while it is full."""

    is_full = True

    def emit(self, record):
        try:
            if self.is_full:
                raise OSError(28, "No space left on device")
            super().emit(record)
        except OSError:
            self.handleError(record)


def test_full_disk_is_reported_once_and_its_lines_are_counted(capsys, caplog):
    disk = FullDisk()
    handler = QueuedHandler(disk)
    for number in range(3):
        handler.handle(logging.makeLogRecord({"msg": f"line {number}"}))
        handler.flush()
    assert [message for message in caplog.messages if "can't be written" in message] == [
        f"the log can't be written to {disk}"
    ]
    disk.is_full = False
    for line in ("after", "later"):
        handler.handle(logging.makeLogRecord({"msg": line}))
        handler.flush()
    handler.close()
    assert disk.lines == ["after", "later"]
    assert [message for message in caplog.messages if message.startswith("lines lost")] == ["lines lost n=3"]
    assert capsys.readouterr().err == ""


def test_stuck_console_does_not_delay_another_target(console, until):
    file = Console()
    handlers = [QueuedHandler(console), QueuedHandler(file)]
    console.writable.clear()
    for number in range(3):
        for handler in handlers:
            handler.handle(logging.makeLogRecord({"msg": f"line {number}"}))
    until(lambda: file.lines == ["line 0", "line 1", "line 2"])
    console.writable.set()
    for handler in handlers:
        handler.close()


SCRIPT = """
import logging, sys
from flask_shim.observability import logs
from flask_shim.config import Config
logs.configure(Config())
for number in range(300):
    logging.getLogger("flask_shim.x").warning("line %d", number)
{end}
"""


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise KeyError"], ids=["end", "exit", "exception"])
def test_a_process_that_ends_has_written_its_log(end):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(end=end)], capture_output=True, text=True, timeout=50, check=False
    )
    written = [line.rpartition(" line ")[2] for line in done.stderr.splitlines() if " flask_shim.x " in line]
    assert written == [str(number) for number in range(300)]


FORKS = """
import logging, os
from flask_shim.observability import logs
from flask_shim.config import Config
logs.configure(Config())
log = logging.getLogger("flask_shim.x")
log.warning("line parent")
if os.fork():
    assert os.wait()[1] == 0
else:
    log.warning("line child")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_a_forked_process_writes_its_log():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS]  # Python 3.12 warns of any fork
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert sorted(line.rpartition(" line ")[2] for line in done.stderr.splitlines()) == ["child", "parent"]


def test_shim_with_a_stuck_console_keeps_answering(tmp_path, console):
    root = logging.getLogger()
    handler = QueuedHandler(console)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    console.writable.clear()
    try:
        with Shim("http://127.0.0.1:9", tmp_path, threads=2, max_streams=1) as shim:
            for path in ("/health", "/api/version", "/no/such/path"):
                for _ in range(5):
                    assert exchange(shim.port, "GET", path).status in (200, 404)
            assert console.has_blocked.wait(10)
    finally:
        console.writable.set()
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
    assert sum(" path=/" in line for line in console.lines) == 15

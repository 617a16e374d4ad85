"""The history on disk: what is counted, and that nothing that happens to the file loses counts or stops requests."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from flask_shim.config import Config
from flask_shim.lmstudio.errors import BackendTimeout
from flask_shim.observability import history as module
from flask_shim.observability.history import MOST_CLIENTS, OTHER, History
from flask_shim.observability.request_context import RequestRecord
from flask_shim.services import Services


def record(model="tiny", user_agent="claude-cli/2.0", seconds=2, **more):
    """Return a request that answered with its first token after one second, and ended one second later."""
    ends = {"started_ns": 0, "first_token_ns": 10**9, "ended_ns": seconds * 10**9}
    return RequestRecord(model=model, user_agent=user_agent, status=200, **{**ends, **more})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "history.sqlite3"


@pytest.fixture
def history(path, monkeypatch):
    """Give a history that is written only by the tests."""
    monkeypatch.setattr(module, "WRITE_SECONDS", 3600)
    history = History(path, 7)
    yield history
    history.close()


def test_counts_are_added_up_by_client_and_model(history):
    history.note(record(tokens_in=10, tokens_out=20, cached_tokens=4))
    history.write()
    history.note(record(tokens_in=5, tokens_out=10, seconds=3))
    history.note(record(model="large", user_agent=""))
    history.write()
    large, tiny = sorted(history.rows(), key=lambda row: row["model"])
    assert tiny == {
        "day": time.strftime("%Y-%m-%d"),
        "client": "Claude Code",
        "model": "tiny",
        "requests": 2,
        "errors": 0,
        "prompt_tokens": 15,
        "cached_tokens": 4,
        "output_tokens": 30,
        "timed_tokens": 30,
        "generation_seconds": 3,
        "first_tokens": 2,
        "first_token_seconds": 2,
        "tokens_per_second": 10,
        "time_to_first_token_seconds": 1,
    }
    assert (large["client"], large["requests"], large["tokens_per_second"]) == ("", 1, None)


def test_errors_are_counted_and_requests_without_a_model_are_not(history):
    failed = record()
    failed.fail(BackendTimeout("too late"))
    history.note(failed)
    history.note(record(model=""))
    history.write()
    assert [(row["requests"], row["errors"]) for row in history.rows()] == [(1, 1)]


def test_the_file_is_read_again_only_when_it_has_changed(history, path, monkeypatch):
    history.note(record())
    history.write()
    os.utime(path, (1, 1))  # clocks of file systems advance in steps
    rows = history.rows()
    opened, connect = [], sqlite3.connect
    monkeypatch.setattr(module.sqlite3, "connect", lambda *args, **more: opened.append(1) or connect(*args, **more))
    assert (history.rows(), opened) == (rows, [])
    other = History(path, 7)
    other.note(record())
    other.close()
    assert [row["requests"] for row in history.rows()] == [2]


def test_old_days_are_forgotten(history, path):
    history.note(record())
    history.write()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE history SET day = '2020-01-01'")
    assert history.rows() == []
    history.note(record())
    history.write()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM history WHERE day = '2020-01-01'").fetchone() == (0,)


def test_two_processes_add_to_the_same_file(history, path):
    history.note(record(tokens_out=1))
    history.write()
    code = (
        "import sys; from pathlib import Path; from flask_shim.observability.history import History\n"
        "from flask_shim.observability.request_context import RequestRecord\n"
        "history = History(Path(sys.argv[1]), 7)\n"
        "history.note(RequestRecord(model='tiny', user_agent='claude-cli/2.0', tokens_out=2))\n"
        "history.close()"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    history.note(record(tokens_out=4))
    history.write()
    assert [(row["requests"], row["output_tokens"]) for row in history.rows()] == [(3, 7)]


def test_a_locked_file_delays_the_counts(history, path, monkeypatch, caplog):
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    history.note(record(tokens_out=1))
    assert history.write()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        history.note(record(tokens_out=2))
        assert not history.write()
        history.note(record(tokens_out=4))
        assert not history.write()
        db.execute("ROLLBACK")
    assert history.write()
    assert [(row["requests"], row["output_tokens"]) for row in history.rows()] == [(3, 7)]
    assert len([line for line in caplog.messages if "can't be written" in line]) == 1


def test_a_full_disk_delays_the_counts(history, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "create_private", full)
        history.note(record())
        assert not history.write()
    assert history.write()
    assert [row["requests"] for row in history.rows()] == [1]


def test_a_damaged_file_is_left_alone(history, path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    history.note(record())
    assert not history.write()
    with pytest.raises(sqlite3.DatabaseError):
        history.rows()
    assert path.read_bytes() == b"this is no database" * 100


def test_invented_clients_share_one_group(history):
    for number in range(MOST_CLIENTS + 10):
        history.note(record(user_agent=f"client{number}/1"))
    history.write()
    rows = history.rows()
    assert len(rows) == MOST_CLIENTS + 1
    assert [row["requests"] for row in rows if row["client"] == OTHER] == [10]


def test_the_thread_writes_what_was_counted(path, monkeypatch, until):
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.01)
    history = History(path, 7)
    history.note(record())
    until(history.rows)
    history.close()


def test_the_rest_is_written_when_the_application_ends(tmp_path):
    parts = Services.build(Config(data_dir=tmp_path, history_days=3))
    parts.history.note(record())
    parts.close()
    assert [row["requests"] for row in parts.history.rows()] == [1]

"""Aliases are kept, found again in any spelling, and seen by everybody who shares the file."""

from __future__ import annotations

import dataclasses
import logging
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from flask_shim.errors import ShimError
from flask_shim.models import alias_db, alias_store
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.translate.ollama.alias import Alias
from flask_shim.translate.ollama.requests import Message, ToolCall

PLAIN = Alias(name="rumpel:latest", base="tiny", created_ns=1)
FULL = Alias(
    name="Someone/Rumpel:V2",
    base="qwen/qwen3-8b@q4_k_m",
    created_ns=1_790_000_000_123_456_789,
    parent="tiny:latest",
    system="Du heißt Rumpel. 🌸\n",
    template="{{ .Prompt }}",
    license=("MIT", "a\nb"),
    parameters={"stop": ["<|x|>"], "temperature": 0.5, "num_ctx": 2048},
    messages=(
        Message("user", "Hé", images=("iVBORw==",)),
        Message("assistant", "", thinking="Hm.", tool_calls=(ToolCall("look", {"at": {"b": 1, "a": [2]}}, "call_1"),)),
        Message("tool", "nothing", tool_name="look", tool_call_id="call_1"),
    ),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "data" / FILE_NAME


@pytest.fixture
def aliases(path):
    return AliasStore(path)


def numbered(number):
    return dataclasses.replace(PLAIN, name=f"name-{number}:latest", created_ns=number)


def test_reading_makes_neither_file_nor_folder(aliases, path):
    assert aliases.aliases() == {}
    assert aliases.find("rumpel") is None
    assert aliases.delete("rumpel") is False
    assert not path.parent.parent.exists()


@pytest.mark.parametrize("alias", [PLAIN, FULL])
def test_an_alias_is_complete_after_a_restart(aliases, path, alias):
    aliases.put(alias)
    assert AliasStore(path).aliases() == {alias.key: alias}


@pytest.mark.parametrize(
    "name",
    [
        "rumpel",
        "rumpel:latest",
        "RUMPEL",
        "Rumpel:Latest",
        "library/rumpel",
        "registry.ollama.ai/library/rumpel:latest",
    ],
)
def test_an_alias_is_found_in_every_spelling_of_its_name(aliases, name):
    aliases.put(PLAIN)
    assert aliases.find(name) == PLAIN


@pytest.mark.parametrize("name", ["rumpe", "rumpel:2", "other/rumpel", "example.com/library/rumpel", ""])
def test_an_alias_is_not_found_under_another_name(aliases, name):
    aliases.put(PLAIN)
    assert aliases.find(name) is None


def test_an_alias_put_again_is_replaced_and_keeps_its_spelling(aliases):
    aliases.put(dataclasses.replace(PLAIN, name="Rumpel:latest"))
    aliases.put(dataclasses.replace(PLAIN, system="new"))
    assert list(aliases.aliases().values()) == [dataclasses.replace(PLAIN, name="Rumpel:latest", system="new")]


def test_a_deleted_alias_is_removed_and_others_are_kept(aliases, path):
    aliases.put(PLAIN)
    aliases.put(FULL)
    assert aliases.delete("RUMPEL") is True
    assert aliases.delete("RUMPEL") is False
    assert list(AliasStore(path).aliases().values()) == [FULL]


def test_the_same_object_is_returned_until_a_change(aliases):
    aliases.put(PLAIN)
    first = aliases.aliases()
    assert aliases.aliases() is first
    aliases.put(FULL)
    assert aliases.aliases() is not first


def test_a_file_that_has_settled_is_not_read_again(aliases, monkeypatch):
    aliases.put(PLAIN)
    monkeypatch.setattr(alias_store, "SETTLED_NS", -1)  # any file is old enough
    first = aliases.aliases()
    monkeypatch.setattr(alias_db, "read", lambda _: pytest.fail("it was read"))
    assert aliases.aliases() is first


def test_every_process_sees_a_change_of_the_file_at_once(path):
    ours, theirs = AliasStore(path), AliasStore(path)
    for number in range(20):
        ours.put(numbered(number))
        assert theirs.find(f"name-{number}") == numbered(number)
        theirs.put(dataclasses.replace(numbered(number), system="changed"))
        assert ours.find(f"name-{number}").system == "changed"
        assert theirs.delete(f"name-{number}") is True
        assert ours.find(f"name-{number}") is None


def test_recent_aliases_have_own_changes_and_soon_those_of_other_processes(path, monkeypatch):
    ours, theirs = AliasStore(path), AliasStore(path)
    monkeypatch.setattr(alias_store, "RECENT_SECONDS", 60.0)
    ours.put(PLAIN)
    assert list(ours.aliases(recent=True)) == [PLAIN.key]
    theirs.put(FULL)
    assert list(ours.aliases(recent=True)) == [PLAIN.key]
    monkeypatch.setattr(alias_store, "RECENT_SECONDS", 0.0)
    assert set(ours.aliases(recent=True)) == {PLAIN.key, FULL.key}


def test_a_file_that_was_removed_holds_no_aliases(aliases, path):
    aliases.put(PLAIN)
    assert aliases.aliases()
    path.unlink()
    assert aliases.aliases() == {}


def test_threads_write_at_the_same_time_without_losing_anything(aliases, path):
    def write(thread):
        for number in range(20):
            aliases.put(numbered(100 * thread + number))
            assert aliases.find(f"name-{100 * thread + number}") is not None

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(AliasStore(path).aliases()) == 8 * 20


PROCESS = """
import sys
from pathlib import Path
from flask_shim.models.alias_store import AliasStore
from flask_shim.translate.ollama.alias import Alias

aliases = AliasStore(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(20):
    aliases.put(Alias(name=f"{sys.argv[2]}-{number}:latest", base="tiny", created_ns=number))
"""


def test_processes_write_at_the_same_time_without_losing_anything(path):
    arguments = [sys.executable, "-c", PROCESS, str(path)]
    processes = [subprocess.Popen([*arguments, name], stdin=subprocess.PIPE, text=True) for name in ("a", "b")]
    for process in processes:
        process.stdin.write("\n")  # both are ready, or soon will be
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert len(AliasStore(path).aliases()) == 2 * 20


def test_names_cannot_be_kept_where_no_folder_can_be_made(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file")
    aliases = AliasStore(tmp_path / "taken" / "data" / FILE_NAME)
    assert aliases.aliases() == {}
    with pytest.raises(ShimError, match=r"^aliases cannot be saved: .* \(SHIM_DATA_DIR names the folder") as caught:
        aliases.put(PLAIN)
    assert caught.value.status == 507
    assert str(tmp_path) not in caught.value.text
    assert str(tmp_path) in caplog.text


def test_an_unreadable_file_is_reported_once_and_has_no_aliases(path, caplog):
    path.mkdir(parents=True)
    aliases = AliasStore(path)
    assert [aliases.aliases() for _ in range(3)] == [{}, {}, {}]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"the aliases in {path} cannot be read" in caplog.text


@pytest.fixture
def locked(path, monkeypatch):
    """Return a function that keeps everybody else from the file until the end."""
    for name in ("BUSY_SECONDS", "READ_SECONDS"):
        monkeypatch.setattr(alias_db, name, 0.02)
    opened = []

    def lock():
        opened.append(sqlite3.connect(path, isolation_level=None))
        opened[-1].execute("BEGIN EXCLUSIVE")
        return opened[-1]

    yield lock
    for db in opened:
        db.close()


def test_a_change_that_gets_no_turn_is_refused(aliases, locked):
    aliases.put(PLAIN)
    locked()
    with pytest.raises(ShimError, match=r"aliases cannot be saved: database is locked"):
        aliases.put(FULL)


def test_what_was_read_last_stands_while_the_file_cannot_be_read(aliases, locked, monkeypatch, caplog):
    monkeypatch.setattr(alias_store, "RETRY_SECONDS", -1.0)  # at once
    aliases.put(PLAIN)
    assert aliases.find("rumpel") == PLAIN
    db = locked()
    assert aliases.find("rumpel") == PLAIN
    db.execute("DELETE FROM aliases")
    db.execute("COMMIT")
    assert aliases.find("rumpel") is None
    assert caplog.text.count("cannot be read: database is locked") == 1


def test_a_change_that_fails_halfway_leaves_nothing_behind(aliases, path, monkeypatch):
    aliases.put(PLAIN)
    with pytest.raises(ZeroDivisionError):
        alias_db.change(path, lambda db: (alias_db.delete(db, PLAIN.key), 1 / 0))
    assert AliasStore(path).find("rumpel") == PLAIN


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_a_new_file_and_its_folders_are_private(tmp_path):
    before = os.umask(0o022)
    try:
        AliasStore(tmp_path / "a" / "b" / FILE_NAME).put(PLAIN)
    finally:
        os.umask(before)
    created = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / FILE_NAME]
    assert [oct(path.stat().st_mode & 0o777) for path in created] == ["0o700", "0o700", "0o600"]

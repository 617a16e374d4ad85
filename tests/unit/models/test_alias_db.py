"""A damaged alias file is renamed and reported, never emptied; new aliases can be made at once."""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from flask_shim.errors import ShimError
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.translate.ollama.alias import Alias

PLAIN = Alias(name="rumpel:latest", base="tiny", created_ns=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE_NAME


class SharingViolation(PermissionError):
    """What Windows raises for a file that is open in another thread or process."""

    winerror = 32


def _sql(*statements):
    def damage(path):
        AliasStore(path).put(PLAIN)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    return damage


def _bytes(data):
    return lambda path: path.write_bytes(data)


def _of_another_program(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE notes (text)")


def _torn(path):
    AliasStore(path).put(PLAIN)
    path.write_bytes(path.read_bytes()[:-4096] + b"\xff" * 4096)


OPEN_FILES = Path("/proc/self/fd")

DAMAGES = [
    pytest.param(_bytes(b"rubbish " * 600), id="no database"),
    pytest.param(_bytes(b"x"), id="a byte"),
    pytest.param(_of_another_program, id="another program's database"),
    pytest.param(_torn, id="a page overwritten"),
    pytest.param(_sql("PRAGMA user_version = 3"), id="a newer version"),
    pytest.param(_sql("PRAGMA user_version = 0"), id="no version"),
    pytest.param(_sql("DROP TABLE aliases"), id="no table"),
    pytest.param(_sql("DROP TABLE aliases", "CREATE TABLE aliases (key TEXT)"), id="another table"),
    pytest.param(_sql("UPDATE aliases SET parameters = '{'"), id="no JSON"),
    pytest.param(_sql("UPDATE aliases SET license = '3'"), id="not the right JSON"),
    pytest.param(_sql("UPDATE aliases SET messages = '[1]'"), id="no messages"),
    pytest.param(_sql("UPDATE aliases SET system = CAST(x'ff' AS TEXT)"), id="no UTF-8"),
]


def aside(path):
    return [found for found in path.parent.iterdir() if found.name.startswith(f"{FILE_NAME}.damaged-")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_put_aside_with_its_content_and_one_warning(path, caplog, damage):
    damage(path)
    content = path.read_bytes()
    aliases = AliasStore(path)
    assert [aliases.aliases() for _ in range(3)] == [{}, {}, {}]
    (kept,) = aside(path)
    assert kept.read_bytes() == content
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(kept) in record.getMessage()


@pytest.mark.parametrize("damage", DAMAGES[:5])
def test_an_alias_can_be_made_in_place_of_a_damaged_file(path, caplog, damage):
    damage(path)
    AliasStore(path).put(PLAIN)
    assert AliasStore(path).find("rumpel") == PLAIN
    assert len(aside(path)) == 1
    assert len(caplog.records) == 1


def test_an_empty_file_is_not_damaged(path, caplog):
    path.touch()
    aliases = AliasStore(path)
    assert aliases.aliases() == {}
    aliases.put(PLAIN)
    assert aliases.find("rumpel") == PLAIN
    assert caplog.text == ""
    assert aside(path) == []


def test_a_file_damaged_while_it_is_in_use_is_put_aside_too(path):
    aliases = AliasStore(path)
    aliases.put(PLAIN)
    assert aliases.aliases()
    path.write_bytes(b"rubbish " * 600)
    assert aliases.aliases() == {}
    assert len(aside(path)) == 1


def test_concurrent_finders_of_damage_move_one_file(path):
    path.write_bytes(b"rubbish " * 600)
    stores = [AliasStore(path) for _ in range(8)]
    names = [Alias(name=f"name-{number}:latest", base="tiny", created_ns=1) for number in range(8)]
    threads = [threading.Thread(target=one.put, args=(name,)) for one, name in zip(stores, names, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (kept,) = aside(path)
    assert kept.read_bytes() == b"rubbish " * 600
    assert len(AliasStore(path).aliases()) == 8


def test_a_damaged_file_that_cannot_be_moved_is_kept_and_reported(path, caplog, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path.write_bytes(b"rubbish " * 600)
    monkeypatch.setattr(type(path), "rename", refuse)
    aliases = AliasStore(path)
    assert [aliases.aliases() for _ in range(3)] == [{}, {}, {}]
    with pytest.raises(ShimError, match="aliases cannot be saved: Permission denied"):
        aliases.put(PLAIN)
    assert path.read_bytes() == b"rubbish " * 600
    assert caplog.text.count("cannot be read: Permission denied") == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_closed_before_it_is_renamed(path, monkeypatch, damage):
    """Windows renames no open file; Linux lists what is open."""
    if sys.platform == "win32" or not OPEN_FILES.is_dir():  # Wine shows the /proc of Linux
        pytest.skip("needs /proc")
    damage(path)
    opened, rename = [], type(path).rename

    def note_open_files(source, target):
        opened.extend(link for link in OPEN_FILES.iterdir() if link.resolve() == source.resolve())
        return rename(source, target)

    monkeypatch.setattr(type(path), "rename", note_open_files)
    assert AliasStore(path).aliases() == {}
    assert (len(aside(path)), opened) == (1, [])


def test_a_rename_is_repeated_while_the_file_is_open_elsewhere(path, monkeypatch):
    path.write_bytes(b"rubbish " * 600)
    failures, rename = [SharingViolation(), SharingViolation()], type(path).rename

    def fail_twice(source, target):
        if failures:
            raise failures.pop()
        return rename(source, target)

    monkeypatch.setattr(type(path), "rename", fail_twice)
    AliasStore(path).put(PLAIN)
    assert AliasStore(path).find("rumpel") == PLAIN
    assert len(aside(path)) == 1


def _of_version_1(path):
    AliasStore(path).put(PLAIN)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("ALTER TABLE aliases DROP COLUMN config")
        db.execute("PRAGMA user_version = 1")


def test_a_file_of_version_1_is_read(path):
    _of_version_1(path)
    before = path.read_bytes()
    assert AliasStore(path).aliases() == {PLAIN.key: PLAIN}
    assert path.read_bytes() == before


def test_the_first_change_upgrades_a_file_of_version_1(path, caplog):
    _of_version_1(path)
    new = Alias(name="new:latest", base="tiny", created_ns=2, config={"parser": "qwen3"})
    AliasStore(path).put(new)
    assert AliasStore(path).aliases() == {PLAIN.key: PLAIN, new.key: new}
    assert (caplog.text, aside(path)) == ("", [])

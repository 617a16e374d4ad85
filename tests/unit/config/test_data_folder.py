"""A data folder that cannot be written is reported when the shim starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.processes import run

from flask_shim import wsgi
from flask_shim.config import Config, ConfigError, data_folder
from flask_shim.config.parsers import is_file


@pytest.fixture
def blocked(tmp_path):
    """A folder that no user can make: a file has its name."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    return tmp_path / "file" / "data"


def test_a_folder_that_can_be_created_passes_and_is_not_created(tmp_path):
    assert data_folder.why_unwritable(tmp_path / "a" / "b") is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_the_reason(blocked):
    assert data_folder.why_unwritable(blocked)
    assert data_folder.why_unwritable(blocked.parent)


def test_a_drive_that_is_missing_is_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert data_folder.why_unwritable(tmp_path / "a" / "b")


def test_a_folder_of_the_settings_is_a_mistake(blocked):
    with pytest.raises(ConfigError, match=r"^SHIM_DATA_DIR=.*: Can't be written to: "):
        data_folder.check(Config(data_dir=blocked))
    data_folder.check(Config(data_dir=blocked, read_only=True))


def test_a_folder_of_the_settings_is_created_at_start(tmp_path):
    data_folder.check(Config(data_dir=tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_the_users_own_folder_is_only_a_warning(blocked, monkeypatch, caplog):
    monkeypatch.setattr("flask_shim.config.server_settings.user_data_dir", lambda *_, **__: str(blocked))
    data_folder.check(Config())
    assert "see SHIM_DATA_DIR" in caplog.text


def no_home(name, **_):
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("find", [no_home, lambda name, **_: f"~/.config/{name}"])
def test_a_user_without_a_home_folder_has_that_of_no_user(monkeypatch, find):
    monkeypatch.setattr("flask_shim.config.server_settings.user_data_dir", find)
    monkeypatch.setattr("flask_shim.config.shim_file.user_config_dir", find)
    config = Config.from_env({})
    assert (config.data_dir, config.file.path) == (Path("/nonexistent/flask-shim"), None)


def test_a_file_in_a_folder_without_access_does_not_exist(tmp_path):
    assert not is_file(tmp_path / ("x" * 5000))  # pathlib raises for it as for a folder that may not be searched


def test_no_server_starts_with_it(blocked, monkeypatch):
    code, output = run("serve", "--port", "0", SHIM_DATA_DIR=str(blocked))
    assert (code, output.startswith("SHIM_DATA_DIR=")) == (2, True)
    monkeypatch.setenv("SHIM_DATA_DIR", str(blocked))
    with pytest.raises(SystemExit):
        wsgi.create_server_app()

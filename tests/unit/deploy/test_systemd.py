"""The units of systemd: of the machine and of a user, with recorded calls of systemctl."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flask_shim.config import Config
from flask_shim.deploy.rendering import render
from flask_shim.deploy.service import systemd
from flask_shim.deploy.service.steps import Result, State
from flask_shim.deploy.service.systemd import Systemd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of Linux")


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "SYSTEM_SETTINGS", tmp_path / "flask-shim.env")
    return Systemd(None, tmp_path / "units" / "flask-shim.service", copies_settings=True)


@pytest.fixture
def own(tmp_path):
    return Systemd(tmp_path / "my shim", tmp_path / "units" / "flask-shim.service")


def test_install_writes_the_unit_of_the_config_command(system, perform):
    calls = perform(system.install(Config(drain_seconds=42), "SHIM_API_KEY=secret\n"))
    assert calls == ["systemctl daemon-reload", "systemctl enable flask-shim.service"]
    assert system.unit.read_text() == render("systemd", Config(drain_seconds=42))
    assert "TimeoutStopSec=52\n" in system.unit.read_text()
    assert system.settings.read_text() == "SHIM_API_KEY=secret\n"
    assert system.settings.stat().st_mode & 0o777 == 0o600


def test_install_keeps_the_settings_of_the_service(system, perform):
    system.settings.write_text("SHIM_PORT=1\n")
    perform(system.install(Config(), None))
    assert system.settings.read_text() == "SHIM_PORT=1\n"


def test_settings_that_were_readable_by_all_are_not_afterward(system, perform):
    system.settings.write_text("old")
    system.settings.chmod(0o644)
    perform(system.install(Config(), "new"))
    assert system.settings.stat().st_mode & 0o777 == 0o600


def test_a_users_unit_runs_in_the_users_folder(own, perform):
    calls = perform(own.install(Config(), None))
    assert calls == ["systemctl --user daemon-reload", "systemctl --user enable flask-shim.service"]
    text = own.unit.read_text()
    assert f"WorkingDirectory={own.folder}\n" in text
    assert "WantedBy=default.target" in text
    # These need privileges that a user's systemd does not have.
    assert not {"DynamicUser", "ProtectHome", "CapabilityBoundingSet"} & set(text.replace("=", "\n").splitlines())
    assert own.settings == own.folder / ".env"


@pytest.mark.parametrize("folder", ["/home/ä ö/shim", "/srv/100%"])
def test_the_folder_of_an_installed_unit_is_found_again(tmp_path, folder):
    unit = tmp_path / "flask-shim.service"
    unit.write_text(render("systemd", Config(), folder=folder), encoding="utf-8")
    assert systemd._working_folder(unit) == Path(folder)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_a_users_unit(tmp_path):
    folder = tmp_path / "with 100% space"
    folder.mkdir()
    unit = tmp_path / "flask-shim.service"
    unit.write_text(render("systemd", Config(), folder=folder), encoding="utf-8")
    seen = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in seen.stderr.splitlines() if "flask-shim" in line] == []


@pytest.mark.parametrize(
    ("active", "state"),
    [
        (Result(0, "active\n"), State.RUNNING),
        (Result(3, "activating\n"), State.RUNNING),
        (Result(3, "inactive\n"), State.STOPPED),
        (Result(3, "failed\n"), State.STOPPED),
    ],
)
def test_state_of_an_installed_unit(system, recorder, active, state):
    system.unit.parent.mkdir()
    system.unit.touch()
    recorder.answers["systemctl is-active"] = active
    assert system.state(recorder) is state


def test_without_a_unit_systemctl_is_not_called(system, recorder):
    assert system.state(recorder) is State.NOT_INSTALLED
    assert recorder.calls == []


def test_remove_stops_and_forgets_the_unit_but_not_the_settings(system, perform):
    perform(system.install(Config(), "SHIM_PORT=1\n"))
    calls = perform(system.remove(State.RUNNING))
    assert calls == ["systemctl disable --now flask-shim.service", "systemctl daemon-reload"]
    assert not system.unit.exists()
    assert system.settings.exists()


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        (Systemd(None, Path("u"), is_booted=False), "systemd does not run here"),
        (Systemd(None, Path("u"), is_root=False), "sudo, or add --user"),
        (Systemd(None, Path("u"), (Path("/home/anna/shim/.venv"),)), "can't read /home/anna/shim/.venv"),
        (Systemd(None, Path("u"), (Path("/opt/shim/.venv"), Path("/root/.pyenv"))), "can't read /root/.pyenv"),
    ],
)
def test_obstacles_are_reported_with_a_remedy(manager, said):
    assert said in manager.obstacle()


@pytest.mark.parametrize(
    "manager",
    [
        Systemd(None, Path("u"), (Path("/opt/shim/.venv"), Path("/usr"))),
        Systemd(Path("/home/anna"), Path("u"), (Path("/home/anna/.venv"),), is_root=False),
        Systemd(None, Path("u"), (Path("/homely/.venv"),)),
    ],
)
def test_nothing_stands_in_the_way(manager):
    assert manager.obstacle() is None

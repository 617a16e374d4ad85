"""``flask-shim service``: what it says, and its exit codes."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from flask_shim.cli import cli, service_command
from flask_shim.deploy.service import systemd
from flask_shim.deploy.service.steps import Result
from flask_shim.deploy.service.systemd import Systemd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of Linux")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Be a machine with systemd; return what systemctl is asked and how it answers."""
    monkeypatch.setattr(systemd, "SYSTEM_SETTINGS", tmp_path / "flask-shim.env")
    monkeypatch.chdir(tmp_path)
    calls, answers = [], {"is-active": Result(0, "active")}

    def run(words):
        calls.append(" ".join(words))
        return next((answer for word, answer in answers.items() if word in words), Result(0, ""))

    def choose(*, user, folder):
        return Systemd(folder if user else None, tmp_path / "unit.service", copies_settings=not user)

    monkeypatch.setattr(service_command, "run_program", run)
    monkeypatch.setattr(service_command, "choose_manager", choose)
    return calls, answers


def service(*words):
    return CliRunner().invoke(cli, ["service", *words], prog_name="flask-shim")


def test_install_start_status_stop_remove(machine, tmp_path):
    calls, answers = machine
    (tmp_path / ".env").write_text("SHIM_PORT=4321\n", encoding="utf-8")
    installed = service("install")
    assert (installed.exit_code, installed.output) == (
        0,
        "Installed. It starts with the machine.\nStart it now: flask-shim service start\n",
    )
    assert (tmp_path / "flask-shim.env").read_text() == "SHIM_PORT=4321\n"
    status = service("status")
    assert status.exit_code == 0
    assert status.output.splitlines() == [
        "flask-shim is running (systemd, system)",
        f"  settings  {tmp_path / 'flask-shim.env'}",
        "  log       journalctl -u flask-shim",
    ]
    assert "already running" in service("start").output
    answers["is-active"] = Result(3, "failed")
    assert service("status").exit_code == 3
    assert "not running" in service("stop").output
    assert service("start").exit_code == 0
    assert calls[-1] == "systemctl start flask-shim.service"
    assert "Its settings stay in" in service("remove").output
    assert service("status").exit_code == 4


def test_a_second_installation_is_refused(machine):
    assert service("install").exit_code == 0
    again = service("install")
    assert (again.exit_code, again.output) == (
        1,
        "The service is already installed. To install it again: flask-shim service remove\n",
    )


@pytest.mark.parametrize("action", ["start", "stop", "remove"])
def test_a_missing_package_is_reported_with_its_command(machine, action):
    done = service(action)
    assert done.exit_code == 4
    assert "To install it: flask-shim service install" in done.output


def test_a_dry_run_changes_nothing(machine, tmp_path):
    calls, _ = machine
    shown = service("install", "--dry-run")
    assert shown.output.splitlines() == [
        f"write {tmp_path / 'flask-shim.env'}",
        f"write {tmp_path / 'unit.service'}",
        "systemctl daemon-reload",
        "systemctl enable flask-shim.service",
    ]
    assert calls == []
    assert list(tmp_path.iterdir()) == []


def test_bad_settings_are_not_installed(machine, tmp_path):
    (tmp_path / "mine.env").write_text("SHIM_PORT=many\n", encoding="utf-8")
    done = service("install", "--env-file", "mine.env")
    assert done.exit_code == 2
    assert "SHIM_PORT" in done.output
    assert not (tmp_path / "unit.service").exists()


def test_a_file_of_this_folder_that_the_service_does_not_use_is_named(machine, tmp_path):
    (tmp_path / "flask-shim.toml").write_text("", encoding="utf-8")
    done = service("install", "--dry-run")
    assert f"It will not use {tmp_path / 'flask-shim.toml'}:" in done.output
    assert f"SHIM_CONFIG in {tmp_path / 'flask-shim.env'}." in done.output
    assert "will not use" not in service("install", "--user", "--dry-run").output


@pytest.mark.parametrize("setting", ["SHIM_CONFIG", "SHIM_CA_FILE"])
def test_a_service_of_the_machine_needs_whole_paths(machine, tmp_path, setting):
    (tmp_path / "named").write_text("", encoding="utf-8")
    (tmp_path / ".env").write_text(f"{setting}=named\n", encoding="utf-8")
    done = service("install")
    assert (done.exit_code, f"{setting}=named: The service runs in another folder." in done.output) == (2, True)
    assert not (tmp_path / "unit.service").exists()
    (tmp_path / ".env").write_text(f"{setting}={tmp_path / 'named'}\n", encoding="utf-8")
    done = service("install")
    assert (done.exit_code, "will not use" in done.output) == (0, False)


def test_a_settings_file_that_is_missing_is_named(machine):
    done = service("install", "--env-file", "missing.env")
    assert done.exit_code == 2
    assert "missing.env can't be read: No such file or directory." in done.output


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_settings_file_of_notepad_is_copied_as_plain_utf_8(machine, tmp_path, encoding):
    (tmp_path / "notepad.env").write_bytes("SHIM_PORT=4321\r\n".encode(encoding))
    assert service("install", "--env-file", "notepad.env").exit_code == 0
    assert (tmp_path / "flask-shim.env").read_bytes() == b"SHIM_PORT=4321\n"


def test_a_failing_program_is_quoted(machine):
    _, answers = machine
    answers["enable"] = Result(1, "Failed to connect to bus\n")
    done = service("install")
    assert (done.exit_code, done.output) == (
        1,
        "systemctl enable flask-shim.service ended with 1: Failed to connect to bus\n",
    )


def test_a_users_service_reads_the_file_in_its_folder(machine, tmp_path):
    assert "called .env" in service("install", "--user", "--env-file", "mine.env").output
    done = service("install", "--user")
    assert "loginctl enable-linger" in done.output
    assert "flask-shim service start --user" in done.output
    assert f"WorkingDirectory={tmp_path}\n" in (tmp_path / "unit.service").read_text()

"""The commands that the demo prints for the user's shell."""

from __future__ import annotations

import shlex
import sys

import pytest

from flask_shim.embedded import shell_commands as module
from flask_shim.embedded.shell_commands import install_command, powershell_command

not_in_powershell = pytest.mark.skipif(sys.platform == "win32", reason="quotes differ there")


@pytest.fixture
def installed_by(monkeypatch, tmp_path):
    """Return a function that makes this an installation with these files, by this installer."""

    def pretend(installer, *files):
        prefix = tmp_path / "flask-shim"
        prefix.mkdir()
        for file in files:
            (prefix / file).touch()
        monkeypatch.setattr(sys, "prefix", str(prefix))
        monkeypatch.setattr(module, "_installer", lambda: installer)

    return pretend


@not_in_powershell
@pytest.mark.parametrize(
    ("installer", "files", "words"),
    [
        ("pip", [], [sys.executable, "-m", "pip", "install"]),
        ("", [], [sys.executable, "-m", "pip", "install"]),
        ("pip", ["pipx_metadata.json"], ["pipx", "inject", "flask-shim"]),
        ("uv", [], ["uv", "pip", "install", "--python", sys.executable]),
        ("uv", ["uv-receipt.toml"], ["uv", "pip", "install", "--python", sys.executable]),
    ],
)
def test_the_command_is_that_of_the_installer(installed_by, installer, files, words):
    installed_by(installer, *files)
    assert shlex.split(install_command("xllamacpp")) == [*words, "xllamacpp"]


@not_in_powershell
def test_a_folder_with_blanks_is_quoted(installed_by, monkeypatch):
    installed_by("pip")
    monkeypatch.setattr(sys, "executable", "/opt/my shim/python")
    assert install_command("x") == "'/opt/my shim/python' -m pip install x"


def test_a_checkout_that_is_not_installed_uses_pip(monkeypatch):
    def missing(name):
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", missing)
    assert module._installer() == ""


@pytest.mark.parametrize(
    ("program", "command"),
    [
        (r".venv\Scripts\flask-shim", r".venv\Scripts\flask-shim doctor"),
        (r"C:\Jürgen\flask-shim.exe", r"C:\Jürgen\flask-shim.exe doctor"),
        (r"C:\My shim\flask-shim.exe", r"& 'C:\My shim\flask-shim.exe' doctor"),
        (r"C:\O'Neil\flask-shim.exe", r"& 'C:\O''Neil\flask-shim.exe' doctor"),
        (r"C:\$new(1)\flask-shim.exe", r"& 'C:\$new(1)\flask-shim.exe' doctor"),
    ],
)
def test_powershell_runs_a_program_in_quotes(program, command):
    assert powershell_command(program, "doctor") == command

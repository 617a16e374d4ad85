"""The command line as a whole: which commands there are, and how it begins."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from support.processes import run

from flask_shim import __version__
from flask_shim.cli import COMMANDS, cli


@pytest.fixture
def invoke():
    """Give a function that runs a command here, with an environment of a few variables."""
    return lambda *arguments, **env: CliRunner().invoke(cli, arguments, env=env, prog_name="flask-shim")


def test_help_lists_every_command(invoke):
    listed = invoke("--help").stdout
    assert all(f"\n  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help_of_its_own(invoke, name):
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: flask-shim {name} ")


@pytest.mark.parametrize("arguments", [(), ("--port", "x"), ("--debug",)])
def test_serve_is_what_happens_without_a_command(monkeypatch, invoke, arguments):
    seen = []
    monkeypatch.setattr("flask_shim.cli.serve_command.serve.callback", lambda **options: seen.append(options))
    assert invoke(*arguments).exit_code == invoke("serve", *arguments).exit_code == 0
    assert seen[0] == seen[1]


def test_unknown_command_is_refused_with_the_usage(invoke):
    result = invoke("sing")
    assert (result.exit_code, "No such command 'sing'" in result.stderr) == (2, True)


def test_version_is_the_packages(invoke):
    assert invoke("--version").stdout == f"flask-shim {__version__}\n"


def test_module_is_the_command():
    assert run("--version") == (0, f"flask-shim {__version__}\n")

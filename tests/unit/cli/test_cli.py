"""The command line as a whole: which commands there are, and how it begins."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from support.processes import run

from flask_shim import __version__
from flask_shim.cli import COMMANDS, cli


@pytest.fixture
def invoke():
    """Give a function that runs a command here, with an environment of a few variables."""
    return lambda *arguments, terminal_width=None, **env: CliRunner().invoke(
        cli, arguments, env=env, prog_name="flask-shim", terminal_width=terminal_width
    )


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


@pytest.mark.parametrize("columns", [60, 200])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_not_cut_and_fits_the_terminal(invoke, name, columns):
    lines = invoke(*filter(None, [name]), "--help", terminal_width=columns).stdout.splitlines()
    assert [line for line in lines if line.endswith("...") and not line.startswith("Usage")] == []
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("modles",), "Did you mean 'models'"),
        (("unlaod",), "Did you mean 'unload'"),
        (("--prot", "1"), r"Did you mean .*--port"),
        (("serve", "--theads", "1"), r"Did you mean .*--threads"),
    ],
)
def test_a_typing_error_gets_the_right_name_suggested(invoke, arguments, said):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert re.search(said, result.stderr)


@pytest.mark.parametrize("arguments", [("sing",), ("x",), ("--karaoke",)])
def test_another_word_gets_no_suggestion(invoke, arguments):
    result = invoke(*arguments)
    assert (result.exit_code, "Did you mean" in result.stderr) == (2, False)
    assert f"No such {'option' if arguments[0].startswith('-') else 'command'}" in result.stderr


def test_version_is_the_packages(invoke):
    assert invoke("--version").stdout == f"flask-shim {__version__}\n"


def test_module_is_the_command():
    assert run("--version") == (0, f"flask-shim {__version__}\n")

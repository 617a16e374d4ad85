"""What a shell offers to complete a command line with."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from support.fake_lmstudio import FakeLMStudio
from support.processes import clean_environment

from flask_shim.cli import COMMANDS, cli


@pytest.fixture
def complete(monkeypatch, tmp_path):
    """Return a function that completes the last of the words, with a data folder of its own."""
    monkeypatch.setenv("SHIM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SHIM_PORT", "1")

    def values(*words):
        shell = ShellComplete(cli, {}, "flask-shim", "_FLASK_SHIM_COMPLETE")
        return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]

    return values


@pytest.fixture
def studio(monkeypatch):
    with FakeLMStudio(models={"tiny": 4096, "acme/large": None}) as backend:
        monkeypatch.setenv("SHIM_LMSTUDIO_BASE", backend.url)
        yield backend


def test_commands_are_completed(complete):
    assert complete("") == list(COMMANDS)
    assert complete("p") == ["ps", "preload", "pull"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--wo",), ["--workers"]),
        (("serve", "--wo"), ["--workers"]),
        (("--port", "1", "--wo"), ["--workers"]),
        (("--h",), ["--help", "--host"]),
        (("doctor", "--client", "vs"), ["vscode", "vscode-ollama"]),
        (("config", "nginx-"), ["nginx-tls", "nginx-cluster"]),
    ],
)
def test_options_and_their_values_are_completed(complete, words, found):
    assert complete(*words) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("show", ""), ["tiny", "acme/large"]),
        (("load", "ac"), ["acme/large"]),
        (("preload", "tiny", "ac"), ["acme/large"]),
        (("unload", ""), ["tiny"]),
        (("rm", ""), []),
    ],
)
def test_model_names_are_completed(complete, studio, words, found):
    assert complete(*words) == found


def test_without_lm_studio_no_model_is_offered(complete, monkeypatch):
    monkeypatch.setenv("SHIM_LMSTUDIO_BASE", "http://127.0.0.1:9")
    assert complete("show", "") == []


def test_wrong_settings_do_not_disturb_a_shell(complete, monkeypatch):
    monkeypatch.setenv("SHIM_LMSTUDIO_BASE", "ftp://x")
    assert complete("show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(shell):
    environment = clean_environment() | {"_FLASK_SHIM_COMPLETE": f"{shell}_source"}
    printed = subprocess.run(
        [sys.executable, "-m", "flask_shim"], env=environment, capture_output=True, text=True, check=True
    )
    assert "_FLASK_SHIM_COMPLETE" in printed.stdout

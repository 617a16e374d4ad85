"""``flask-shim init``: its questions, the file it writes, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from support.answers import lm_studio, model, silent

from flask_shim.cli import cli
from flask_shim.config import Config

UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flask_shim.cli.init_command.BACKEND", UNREACHABLE)
    return tmp_path


def init(*options, answers=()):
    lines = "".join(f"{answer}\n" for answer in answers)
    return CliRunner().invoke(cli, ["init", *options], input=lines, prog_name="flask-shim")


def settings(folder):
    return Config.from_env({}, env_file=str(folder / ".env"))


def test_four_questions_become_a_file(folder, socket_server):
    backend = socket_server(lm_studio(silent, model("one")))
    done = init(answers=[backend.url, "network", "my-key", "y"])
    assert done.exit_code == 0, done.output
    assert "LM Studio 0.4 or later, 1 model" in done.output
    assert "flask-shim service install" in done.output
    written = settings(folder)
    assert (written.backend_url, written.hosts, written.api_keys) == (backend.url, ("*",), ("my-key",))


def test_the_default_answers_serve_this_machine_without_a_key(folder):
    done = init(answers=["", "", "", ""])
    assert done.exit_code == 0
    assert f"{UNREACHABLE}" in done.output
    assert "  flask-shim serve\n  flask-shim doctor\n" in done.output
    assert settings(folder) == Config.from_env({}, env_file="", overrides={"SHIM_LMSTUDIO_BASE": UNREACHABLE})


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_only_the_owner_may_read_the_file(folder):
    init("--yes")
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600


def test_a_wider_host_gets_a_new_key(folder):
    assert init("--yes", "--host", "0.0.0.0").exit_code == 0
    (key,) = settings(folder).api_keys
    (folder / ".env").unlink()
    assert init("--yes", "--host", "0.0.0.0").exit_code == 0
    assert len(key) >= 32
    assert settings(folder).api_keys != (key,)


def test_other_machines_without_a_key_are_a_choice(folder):
    assert init("--yes", "--host", "*", "--key", "none").exit_code == 0
    assert settings(folder).allow_open
    assert settings(folder).api_keys == ()


def test_an_invalid_answer_is_requested_again(folder):
    done = init(answers=["ftp://x", UNREACHABLE, "all", "machine", "two words", "none", "n"])
    assert done.exit_code == 0, done.output
    assert done.output.count("Where is LM Studio?") == 2
    assert done.output.count("Who may connect?") == 2
    assert done.output.count("Key that clients must send") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend", "ftp://x"), "SHIM_LMSTUDIO_BASE"),
        (("--host", "not an address"), "SHIM_HOST"),
        (("--key", "a b"), "A key consists of"),
    ],
)
def test_a_wrong_option_ends_with_2_and_writes_nothing(folder, options, said):
    done = init("--yes", *options)
    assert done.exit_code == 2
    assert said in done.output
    assert not (folder / ".env").exists()


def test_an_existing_file_is_replaced_only_after_a_yes(folder):
    (folder / ".env").write_text("SHIM_PORT=4321\n")
    assert "exists and is kept" in init("--yes").output
    assert init(answers=["n"]).exit_code == 1
    assert (folder / ".env").read_text() == "SHIM_PORT=4321\n"
    assert init(answers=["y", "", "", "", ""]).exit_code == 0
    assert "SHIM_PORT" not in (folder / ".env").read_text()


def test_answers_that_end_early_write_nothing(folder):
    done = init(answers=[""])
    assert done.exit_code == 1
    assert "Nothing was written. Without a terminal use --yes" in done.output
    assert not (folder / ".env").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor in a shell of POSIX")
def test_closed_standard_input_is_an_error_with_advice(tmp_path):
    words = ["sh", "-c", f"{sys.executable} -m flask_shim init <&-"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"Nothing was written\. Without a terminal use --yes, .*\n", done.stderr)

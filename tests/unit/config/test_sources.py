"""Settings: the file, the environment, and what of them is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flask_shim.config import Config, ConfigError


def test_secrets_and_prompts_are_not_in_the_repr(read):
    config = read(SHIM_API_KEY="hush1", SHIM_LMSTUDIO_TOKEN="hush2", SHIM_DEFAULT_SYSTEM_PROMPT="hush3")
    assert config.api_keys == ("hush1",)
    assert "hush" not in repr(config)


@pytest.mark.parametrize("name", ["LMSTUDIO_TOKEN", "LM_API_TOKEN"])
def test_notes_show_no_secret(read, name):
    assert read(**{name: "hush"}).notes == (f"SHIM_LMSTUDIO_TOKEN not set: {name} is used",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SHIM_API_KEY", "hush hush"),
        ("SHIM_LMSTUDIO_TOKEN", "hush hush"),
        ("SHIM_LMSTUDIO_BASE", "http://me:hush@localhost:1234"),
        ("LMSTUDIO_URL", "ftp://hush@localhost"),
    ],
)
def test_problems_show_no_secret(problems, name, text):
    assert "hush" not in "".join(problems(**{name: text}))


def test_the_file_in_the_current_folder_is_read(read, tmp_path):
    (tmp_path / ".env").write_text("# comment\nSHIM_PORT=8001\nexport SHIM_DEBUG=1\n", encoding="utf-8")
    config = read()
    assert (config.port, config.debug) == (8001, True)
    assert config.notes == (f"settings read from {tmp_path / '.env'}",)


def test_the_command_line_wins_over_environment_over_file(tmp_path):
    (tmp_path / ".env").write_text("SHIM_PORT=8001\nSHIM_WORKERS=2\nSHIM_LOG_BACKUPS=7\n", encoding="utf-8")
    config = Config.from_env({"SHIM_PORT": "8002", "SHIM_WORKERS": "3"}, overrides={"SHIM_PORT": "8003"})
    assert (config.port, config.workers, config.log_backups) == (8003, 3, 7)


def test_another_file_can_be_named(read, tmp_path):
    (tmp_path / ".env").write_text("SHIM_PORT=8001\n", encoding="utf-8")
    (tmp_path / "other").write_text("SHIM_PORT=8002\n", encoding="utf-8")
    assert read(SHIM_ENV_FILE="other").port == 8002
    assert Config.from_env({"SHIM_ENV_FILE": "nowhere"}, env_file="other").port == 8002
    assert Config.from_env({"SHIM_ENV_FILE": "nowhere"}, env_file="").port == 11434


def test_the_process_environment_is_the_default_and_stays_as_it_was(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SHIM_WORKERS=2\n", encoding="utf-8")
    monkeypatch.setenv("SHIM_PORT", "8004")
    before = dict(os.environ)
    config = Config.from_env()
    assert (config.port, config.workers) == (8004, 2)
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("written", "name", "field", "value"),
    [
        (b"\xef\xbb\xbfSHIM_PORT=1\r\n", "byte order mark", "port", 1),
        ("\ufeff# für die Maschine\r\n\r\nSHIM_PORT=2\r\n".encode("utf-16-le"), "UTF-16", "port", 2),
        ("\ufeffSHIM_PORT=3\r\n".encode("utf-16-be"), "UTF-16, the other order", "port", 3),
        (b"SHIM_LOG_FILE=C:\\temp\\new.log\r\n", "Windows path", "log_file", Path("C:\\temp\\new.log")),
        (b'SHIM_LOG_FILE="C:\\temp\\new.log"\n', "quoted Windows path", "log_file", Path("C:\\temp\\new.log")),
        (b'SHIM_DATA_DIR="C:\\\\temp\\\\new"\n', "escaped Windows path", "data_dir", Path("C:\\temp\\new")),
        (b'export SHIM_SERVICE_DATA_DIR = "\\\\box\\new dir"\n', "share", "data_dir", Path("\\\\box\\new dir")),
        (b"SHIM_DATA_DIR='C:\\temp\\new'\n", "single quotes", "data_dir", Path("C:\\temp\\new")),
        (b'SHIM_DEFAULT_SYSTEM_PROMPT="a\\nb"\n', "escaped line break", "default_system_prompt", "a\nb"),
        (b"SHIM_API_KEY='a$b${HOME}'\n", "dollars", "api_keys", ("a$b${HOME}",)),
        (b'SHIM_DEFAULT_SYSTEM_PROMPT="a\r\nb"\r\n', "CRLF in a value", "default_system_prompt", "a\nb"),
        ("SHIM_DEFAULT_SYSTEM_PROMPT=Grüß Gott\n".encode(), "umlauts", "default_system_prompt", "Grüß Gott"),
        (b"SHIM_ALLOWED_ORIGINS=\nEDITOR\n", "a stranger's name alone", "allowed_origins", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_may_hold(read, tmp_path, written, name, field, value):
    (tmp_path / ".env").write_bytes(written)
    assert getattr(read(), field) == value


def test_a_missing_file_is_one_of_the_problems(problems):
    found = problems(SHIM_ENV_FILE="nowhere", SHIM_PORT="x")
    assert [problem.partition("=")[0] for problem in found] == ["SHIM_ENV_FILE", "SHIM_PORT"]


ENCODED = [
    b"SHIM_PORT=\xff\n",
    b"\xff\xfeS\0H",
    "SHIM_API_KEY=Müsli\n".encode("cp1252"),
    "SHIM_API_KEY=secret\n".encode("utf-16-le"),  # without a byte order mark
]


@pytest.mark.parametrize("written", ENCODED)
def test_a_file_in_another_encoding_is_a_problem(problems, tmp_path, written):
    (tmp_path / ".env").write_bytes(written)
    (problem,) = problems()
    assert "UTF-8" in problem


@pytest.mark.parametrize(
    "line",
    [
        "SHIM_API_KEY: hush",
        "SHIM_API_KEY:hush",
        "SHIM_API_KEY:aHVzaA==hush",
        "SHIM_API_KEY",
        "SHIM_API_KEY hush",
        "set SHIM_API_KEY=hush",
        '$env:SHIM_API_KEY="hush"',
        'SHIM_API_KEY="hush',
        "SHIM_HUSH:hush=",
        "some words: hush",
    ],
)
def test_a_line_that_sets_nothing_is_reported_without_its_text(problems, tmp_path, line):
    (tmp_path / ".env").write_text(f"# settings\n\n\n{line}\nSHIM_PORT=x\n", encoding="utf-8")
    first, *others = problems()
    assert first.startswith(".env, line 4: ")
    assert "hush" not in "".join([first, *others]).lower()


def test_a_line_without_a_setting_is_one_of_the_mistakes(problems, tmp_path):
    (tmp_path / "other").write_text("SHIM_READ_ONLY\r\nSHIM_PORT=x\r\n", encoding="utf-8", newline="")
    first, second = problems(SHIM_ENV_FILE="other")
    assert first == "other, line 1: It does not set SHIM_READ_ONLY; write it as NAME=value."
    assert second.startswith("SHIM_PORT='x': ")


@pytest.mark.parametrize(
    ("environ", "model"),
    [
        ({}, "openai/gpt-oss-20b"),
        ({"DEFAULT_REGULAR_MODEL": "m"}, "m"),
        ({"SHIM_DEFAULT_REGULAR_MODEL": "m", "DEFAULT_REGULAR_MODEL": "n"}, "m"),
        ({"SHIM_ENSURE_MODEL": "e", "SHIM_DEFAULT_REGULAR_MODEL": "m"}, "e"),
    ],
)
def test_the_model_to_make_ready_is_the_regular_one_if_that_is_set(read, environ, model):
    assert read(**environ).ensure_model == model


def test_programs_that_only_use_lm_studio_may_set_host_and_port():
    environ = {"HOST": "0.0.0.0", "PORT": "http", "LMSTUDIO_URL": "box:9", "DEFAULT_REGULAR_MODEL": "m"}
    config = Config.for_client(environ)
    assert config == Config(backend_url="http://box:9", ensure_model="m", default_regular_model="m")


def test_wrong_settings_of_a_client_are_reported():
    with pytest.raises(ConfigError, match=r"^LMSTUDIO_URL='ftp://x': "):
        Config.for_client({"LMSTUDIO_URL": "ftp://x", "SHIM_THREADS": "many"})


def test_a_client_reads_the_settings_file_too(tmp_path):
    (tmp_path / ".env").write_text("LMSTUDIO_URL=http://box:9\nPORT=never\n", encoding="utf-8")
    assert Config.for_client({}).backend_url == "http://box:9"


FOREIGN = "PORT=3000\nHOST=0.0.0.0\nOPENAI_BASE_URL=https://api.openai.com/v1\nOPENAI_API_KEY=hush\n"


@pytest.mark.parametrize("other", ["", "DEBUG=1\n", "LMSTUDIO_TOKEN=k\n", "OLLAMA_KEEP_ALIVE=5m\n"])
def test_generic_names_of_another_projects_file_are_ignored(read, tmp_path, other):
    (tmp_path / ".env").write_text(FOREIGN + other, encoding="utf-8")
    config = read()
    assert (config.port, config.backend_url) == (11434, Config().backend_url)
    assert any(note.startswith("HOST, OPENAI_API_KEY, OPENAI_BASE_URL, PORT in .env ignored") for note in config.notes)


@pytest.mark.parametrize("own", ["SHIM_ALLOW_OPEN=1", "SHIM_ALLOW_OPEN=1\nPORT=3000", "DEFAULT_REGULAR_MODEL=m"])
def test_generic_names_count_beside_a_setting_of_the_shim(read, tmp_path, own):
    (tmp_path / ".env").write_text(f"{FOREIGN}HOST=127.0.0.1\n{own}\n", encoding="utf-8")
    assert (read().port, read().backend_url) == (3000, "https://api.openai.com")


def test_generic_names_count_in_a_file_that_is_named(read, tmp_path):
    (tmp_path / ".env").write_text("PORT=3000\n", encoding="utf-8")
    assert read(SHIM_ENV_FILE=".env").port == Config.from_env({}, env_file=".env").port == 3000

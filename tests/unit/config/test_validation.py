"""Settings: what one means for another, and which name counts."""

from __future__ import annotations

import dataclasses

import pytest

from flask_shim.config import SETTINGS, Config, addresses


@pytest.mark.parametrize(
    ("environ", "first_byte", "idle"),
    [
        ({}, 600.0, 300.0),
        ({"SHIM_HTTP_TIMEOUT": "20"}, 20.0, 20.0),
        ({"SHIM_HTTP_TIMEOUT": "0"}, 0.0, 0.0),
        ({"SHIM_HTTP_TIMEOUT": "20", "SHIM_FIRST_BYTE_TIMEOUT": "5", "SHIM_IDLE_TIMEOUT": "7"}, 5.0, 7.0),
    ],
)
def test_the_finer_timeouts_follow_the_general_one(read, environ, first_byte, idle):
    config = read(**environ)
    assert (config.first_byte_timeout, config.idle_timeout) == (first_byte, idle)


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "::", "192.168.1.5", "my-box", "localhost,10.0.0.1"])
def test_a_wide_bind_needs_a_key_or_a_word(problems, host):
    (problem,) = problems(SHIM_HOST=host)
    assert all(name in problem for name in ("SHIM_HOST", "SHIM_API_KEY", "SHIM_ALLOW_OPEN=1"))


@pytest.mark.parametrize("permission", [{"SHIM_API_KEY": "k"}, {"SHIM_ALLOW_OPEN": "1"}])
def test_a_wide_bind_is_taken_with_a_key_or_a_word(read, permission):
    assert read(SHIM_HOST="*,0.0.0.0", **permission).hosts == ("*", "0.0.0.0")


def test_ollamas_origins_are_added_to_ours(read):
    config = read(OLLAMA_ORIGINS="app://*,http://localhost")
    assert config.allowed_origins == ("http://localhost", "http://127.0.0.1", "app://*")
    assert "OLLAMA_ORIGINS adds app://*,http://localhost to SHIM_ALLOWED_ORIGINS" in config.notes


def test_ollamas_origins_are_added_to_none(read):
    assert read(SHIM_ALLOWED_ORIGINS="", OLLAMA_ORIGINS="app://*").allowed_origins == ("app://*",)


def test_windows_gets_no_more_connections_than_it_can_watch(read, monkeypatch):
    monkeypatch.setattr(addresses, "IS_WINDOWS", True)
    assert (read().connection_limit, read().notes) == (500, ())
    asked_for = read(SHIM_CONNECTION_LIMIT="2000")
    assert asked_for.connection_limit == 500
    assert asked_for.notes[0].startswith("SHIM_CONNECTION_LIMIT")


FIELDS = {field.name for field in dataclasses.fields(Config)}
FALLBACKS = [(setting, name) for setting in SETTINGS if setting.field in FIELDS for name in setting.fallbacks]
TEXTS = {
    "backend_url": ("http://a:1", "http://b:2"),
    "hosts": ("127.0.0.3", "127.0.0.4"),
    "allowed_origins": ("http://a", "http://b"),
    "ollama_version": ("0.1.0", "0.2.0"),
}


@pytest.mark.parametrize(("setting", "name"), FALLBACKS, ids=[name for _, name in FALLBACKS])
def test_another_name_counts_only_when_ours_is_not_set(setting, name):
    theirs, ours = TEXTS.get(setting.field, ("11", "12"))
    context = {"OPENAI_BASE_URL": "http://localhost:1234/v1"} if name == "OPENAI_API_KEY" else {}
    fallen_back = Config.from_env({**context, name: theirs})
    assert getattr(fallen_back, setting.field) == getattr(Config.from_env({setting.env: theirs}), setting.field)
    assert any(note.startswith(f"{setting.env} not set: {name}") for note in fallen_back.notes)
    both = Config.from_env({name: theirs, setting.env: ours})
    assert getattr(both, setting.field) == getattr(Config.from_env({setting.env: ours}), setting.field)
    assert not both.notes


def test_the_note_on_another_name_shows_its_value(read):
    assert read(PORT="8000").notes == ("SHIM_PORT not set: PORT=8000 is used",)


def test_seeds_env_file_works_as_written(read):
    config = read(OPENAI_BASE_URL="http://localhost:1234/v1", OPENAI_API_KEY="lm-studio", HOST="127.0.0.1", PORT="8000")
    assert (config.backend_url, config.backend_token) == ("http://localhost:1234", "lm-studio")
    assert (config.hosts, config.port) == (("127.0.0.1",), 8000)


def test_openai_key_is_not_sent_to_a_backend_of_another_setting(read):
    config = read(OPENAI_API_KEY="sk-real", SHIM_LMSTUDIO_BASE="http://box:1234")
    assert config.backend_token == ""
    assert any("OPENAI_API_KEY is not sent" in note for note in config.notes)


@pytest.mark.parametrize("name", ["SHIM_DISABLE_UVLOOP", "DISABLE_UVLOOP"])
def test_a_setting_without_effect_is_noted(read, name):
    assert read(**{name: "1"}).notes == (f"{name} has no effect: waitress runs no uvloop",)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("SHIM_PROT", "; did you mean SHIM_PORT?"),
        ("SHIM_LMSTUDIO_BASSE", "; did you mean SHIM_LMSTUDIO_BASE?"),
        ("SHIM_QQQQQQ", " and has no effect"),
        ("SHIM_TOAST", " and has no effect"),
    ],
)
def test_an_unknown_name_is_noted(read, name, ending):
    (note,) = read(**{name: "1"}).notes
    assert note.startswith(name)
    assert note.endswith(ending)

"""Settings: what their texts become, and what is said when they are wrong."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.config import SETTINGS, Config, ConfigError

ENV_NAMES = [name for setting in SETTINGS for name in setting.names]


def test_an_empty_environment_gives_the_defaults_of_the_class():
    assert Config.from_env({}) == Config()


def test_every_field_has_its_setting():
    about_the_source = {"notes", "configured", "file", "is_backend_fixed", "processes"}
    assert {f.name for f in dataclasses.fields(Config)} - about_the_source < {setting.field for setting in SETTINGS}


def test_no_variable_has_two_meanings():
    assert len(ENV_NAMES) == len(set(ENV_NAMES))


@pytest.mark.parametrize("blank", ["", " \t"])
def test_an_empty_value_counts_as_not_set(read, blank):
    assert read(**{name: blank for name in ENV_NAMES if name != "SHIM_ALLOWED_ORIGINS"}) == Config()


def test_quotes_around_nothing_count_as_not_set(read):
    settings = [setting for setting in SETTINGS if not setting.is_free_text and not setting.empty_counts]
    assert read(**{setting.env: "''" for setting in settings}) == Config()


def test_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().port = 1  # type: ignore[misc]


def test_a_config_made_by_hand_derives_the_rest_url_and_the_threads():
    config = Config(backend_url="http://127.0.0.1:9", max_streams=2)
    assert (config.rest_url, config.threads) == ("http://127.0.0.1:9", 10)


GOOD = [
    ("SHIM_LMSTUDIO_BASE", "http://localhost:1234", "backend_url", "http://localhost:1234"),
    ("SHIM_LMSTUDIO_BASE", "http://localhost:1234/v1/", "backend_url", "http://localhost:1234"),
    ("SHIM_LMSTUDIO_BASE", "http://localhost:1234/api/v0", "backend_url", "http://localhost:1234"),
    ("SHIM_LMSTUDIO_BASE", "http://localhost:1234/api/v1//", "backend_url", "http://localhost:1234"),
    ("SHIM_LMSTUDIO_BASE", "http://h/v1/chat/completions", "backend_url", "http://h"),
    ("SHIM_LMSTUDIO_BASE", "https://Box.lan/studio/v1", "backend_url", "https://box.lan/studio"),
    ("SHIM_LMSTUDIO_BASE", "localhost:1234", "backend_url", "http://localhost:1234"),
    ("SHIM_LMSTUDIO_BASE", "192.168.1.5:1234/v1", "backend_url", "http://192.168.1.5:1234"),
    ("SHIM_LMSTUDIO_BASE", "http://[::1]:1234/v1", "backend_url", "http://[::1]:1234"),
    ("SHIM_LMSTUDIO_REST_BASE", "http://h:5/api/v1", "rest_url", "http://h:5"),
    ("SHIM_LMSTUDIO_TOKEN", " lm-studio ", "backend_token", "lm-studio"),
    ("SHIM_HTTP_TIMEOUT", "0", "first_byte_timeout", 0.0),
    ("SHIM_HTTP_TIMEOUT", "0.1", "idle_timeout", 0.1),
    ("SHIM_HTTP_TIMEOUT", "5m", "first_byte_timeout", 300.0),
    ("SHIM_CONNECT_TIMEOUT", "1.5", "connect_timeout", 1.5),
    ("SHIM_LOAD_TIMEOUT", "-1", "load_timeout", 0.0),
    ("SHIM_MAX_KEEPALIVE_CONNECTIONS", "0", "max_keepalive_connections", 0),
    ("SHIM_REQUEST_RETRIES", "0", "request_retries", 0),
    ("SHIM_VERIFY_SSL", "off", "verify_ssl", False),
    ("SHIM_CA_FILE", __file__, "ca_file", Path(__file__)),
    ("SHIM_MODEL_SELECTOR_CACHE_SIZE", "0", "model_selector_cache_size", 0),
    ("SHIM_STREAM_CHUNK_SIZE", "1", "stream_chunk_size", 1),
    ("SHIM_STREAM_CHUNK_SIZE", "16777216", "stream_chunk_size", 16 * 1024 * 1024),
    ("SHIM_HOST", "127.0.0.1", "hosts", ("127.0.0.1",)),
    ("SHIM_HOST", "[::1]", "hosts", ("::1",)),
    ("SHIM_HOST", "Localhost, ::1,127.0.0.2", "hosts", ("127.0.0.1", "::1", "127.0.0.2")),
    ("SHIM_PORT", "0", "port", 0),
    ("SHIM_PORT", '"8080"', "port", 8080),
    ("SHIM_MAX_STREAMS", "1", "max_streams", 1),
    ("SHIM_MAX_STREAMS", "4", "threads", 12),
    ("SHIM_THREADS", "65", "threads", 65),
    ("SHIM_DEBUG", "1", "debug", True),
    ("SHIM_DATA_DIR", "~/shim", "data_dir", Path.home() / "shim"),
    ("SHIM_LOG_FILE", "shim.log", "log_file", Path("shim.log")),
    ("SHIM_LOG_FILE", "\udcff.log", "log_file", Path("\udcff.log")),
    ("SHIM_API_KEY", "one, two,,one", "api_keys", ("one", "two")),
    ("SHIM_ALLOWED_ORIGINS", "", "allowed_origins", ()),
    ("SHIM_ALLOWED_ORIGINS", "*", "allowed_origins", ("*",)),
    ("SHIM_ALLOWED_ORIGINS", "HTTP://Box:3000/, app://*", "allowed_origins", ("http://box:3000", "app://*")),
    ("SHIM_ALLOWED_ORIGINS", '["http://a", "http://b"]', "allowed_origins", ("http://a", "http://b")),
    ("SHIM_ALLOWED_HOSTS", "Box.lan., 10.0.0.1,[fd00::1]", "allowed_hosts", ("box.lan", "10.0.0.1", "fd00::1")),
    ("SHIM_MAX_REQUEST_BYTES", "1000", "max_request_bytes", 1000),
    ("SHIM_MAX_REQUEST_BYTES", "0", "max_request_bytes", 2**40),
    ("SHIM_METRICS", "no", "metrics", False),
    ("SHIM_OLLAMA_VERSION", "0.13.5", "ollama_version", "0.13.5"),
    ("SHIM_DEFAULT_TTL_SECONDS", "90", "default_ttl", 90.0),
    ("SHIM_DEFAULT_TTL_SECONDS", "-1", "default_ttl", math.inf),
    ("SHIM_DEFAULT_TEMPERATURE", "0", "default_temperature", 0.0),
    ("SHIM_DEFAULT_TEMPERATURE", "Backend", "default_temperature", None),
    ("SHIM_DEFAULT_SYSTEM_PROMPT", ' Say "yes" ', "default_system_prompt", ' Say "yes" '),
    ("SHIM_DEFAULT_STOP", "a,b", "default_stop", ("a,b",)),
    ("SHIM_DEFAULT_STOP", '["</s>", "\\n\\n"]', "default_stop", ("</s>", "\n\n")),
    ("SHIM_DEFAULT_CONTEXT", "8192", "default_context", 8192),
    ("SHIM_GENERATE_VIA", "completions", "generate_via", "completions"),
    ("SHIM_REASONING", "merge", "reasoning", "merge"),
    ("SHIM_PRELOAD", "a/b, c", "preload", ("a/b", "c")),
    ("OLLAMA_LOAD_TIMEOUT", "2m30s", "load_timeout", 150.0),
    ("OLLAMA_LOAD_TIMEOUT", "0", "load_timeout", 0.0),
    ("OLLAMA_KEEP_ALIVE", "1h", "default_ttl", 3600.0),
    ("OLLAMA_KEEP_ALIVE", "300", "default_ttl", 300.0),
    ("OLLAMA_KEEP_ALIVE", '"-1m"', "default_ttl", math.inf),
    ("OLLAMA_KEEP_ALIVE", "0", "default_ttl", 1.0),
]


@pytest.mark.parametrize(("name", "text", "field", "value"), GOOD)
def test_a_good_text_becomes_its_value(read, name, text, field, value):
    assert getattr(read(**{name: text}), field) == value


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", "on"])
def test_yes_has_many_words(read, text):
    assert read(SHIM_READ_ONLY=text).read_only


@pytest.mark.parametrize("text", ["0", "false", "False", "no", "off"])
def test_no_has_many_words(read, text):
    assert not read(SHIM_METRICS=text).metrics


BAD = [
    *((name, "ftp://localhost") for name in ("SHIM_LMSTUDIO_BASE", "SHIM_LMSTUDIO_REST_BASE", "LMSTUDIO_URL")),
    ("SHIM_LMSTUDIO_BASE", "http://"),
    ("SHIM_LMSTUDIO_BASE", "http:/localhost:1234"),
    ("SHIM_LMSTUDIO_BASE", "http://h:99999"),
    ("SHIM_LMSTUDIO_BASE", "http://[::1"),
    ("SHIM_LMSTUDIO_BASE", "http://h/v1?key=1"),
    ("SHIM_LMSTUDIO_BASE", "http://a b"),
    ("SHIM_LMSTUDIO_TOKEN", "clé"),
    ("SHIM_HTTP_TIMEOUT", "0.05"),
    ("SHIM_HTTP_TIMEOUT", "-1"),
    ("SHIM_HTTP_TIMEOUT", "nan"),
    ("SHIM_HTTP_TIMEOUT", "inf"),
    ("SHIM_HTTP_TIMEOUT", "1e3"),
    ("SHIM_HTTP_TIMEOUT", "9" * 400),
    ("SHIM_IDLE_TIMEOUT", "5d"),
    ("SHIM_CONNECT_TIMEOUT", "0"),
    ("SHIM_LIST_TIMEOUT", "soon"),
    ("SHIM_MAX_CONNECTIONS", "0"),
    ("SHIM_MAX_CONNECTIONS", "5.5"),
    ("SHIM_REQUEST_RETRIES", "-1"),
    ("SHIM_REQUEST_RETRY_BACKOFF", "61"),
    ("SHIM_VERIFY_SSL", "maybe"),
    ("SHIM_CA_FILE", "nowhere.pem"),
    ("SHIM_STREAM_CHUNK_SIZE", "0"),
    ("SHIM_STREAM_CHUNK_SIZE", "16777217"),
    ("SHIM_HOST", "127.0.0.1:11434"),
    ("SHIM_HOST", " , "),
    ("SHIM_HOST", "256.0.0.1"),
    ("SHIM_HOST", "my host"),
    ("SHIM_PORT", "65536"),
    ("SHIM_PORT", "9" * 5000),
    ("SHIM_MAX_STREAMS", "0"),
    ("SHIM_THREADS", "64"),
    ("SHIM_API_KEY", "with blank"),
    ("SHIM_API_KEY", ","),
    ("SHIM_ALLOWED_ORIGINS", "null"),
    ("SHIM_ALLOWED_ORIGINS", "localhost"),
    ("SHIM_ALLOWED_ORIGINS", "http://*.a.*"),
    ("SHIM_ALLOWED_ORIGINS", "http://a/path"),
    ("SHIM_ALLOWED_ORIGINS", '["http://a'),
    ("CORS_ORIGINS", "[1]"),
    ("OLLAMA_ORIGINS", "box"),
    ("SHIM_ALLOWED_HOSTS", "box:11434"),
    ("SHIM_MAX_REQUEST_BYTES", "-1"),
    ("SHIM_OLLAMA_VERSION", "v0.13"),
    ("SHIM_OLLAMA_VERSION", "0.18.0+x"),
    ("SHIM_DEFAULT_TEMPERATURE", "2.1"),
    ("SHIM_DEFAULT_TEMPERATURE", "nan"),
    ("SHIM_DEFAULT_STOP", '["", "x"]'),
    ("SHIM_DEFAULT_STOP", "[" * 100_000),
    ("SHIM_GENERATE_VIA", "magic"),
    ("SHIM_REASONING", "Merge"),
    ("OLLAMA_KEEP_ALIVE", "1d"),
    ("OLLAMA_CONTEXT_LENGTH", "4k"),
    ("SHIM_DEFAULT_SYSTEM_PROMPT", "h\udcf6flich"),
    ("SHIM_LMSTUDIO_BASE", "http://\udcff"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_text_is_one_problem_that_names_its_variable(problems, name, text):
    (problem,) = problems(**{name: text})
    assert problem.startswith(name)
    assert len(problem) < 400


@given(st.dictionaries(st.sampled_from(ENV_NAMES), st.text(max_size=30), max_size=4))
def test_any_text_gives_a_config_or_a_config_error(environ):
    try:
        Config.from_env(environ, env_file="")
    except ConfigError as exc:
        found = exc.problems
    else:
        found = ()
    assert [problem for problem in found if not problem.startswith(tuple(environ))] == []


def test_all_mistakes_are_reported_together(problems):
    found = problems(SHIM_PORT="x", SHIM_REASONING="y", HOST="0.0.0.0", SHIM_THREADS="3", SHIM_MAX_STREAMS="3")
    assert [problem.partition(":")[0].partition("=")[0] for problem in found] == [
        "SHIM_PORT",
        "SHIM_REASONING",
        "HOST",
        "SHIM_THREADS",
    ]


def test_a_mistake_hides_the_contradiction_that_depends_on_it(problems):
    (problem,) = problems(SHIM_THREADS="32", SHIM_MAX_STREAMS="x")
    assert problem.startswith("SHIM_MAX_STREAMS")

"""Which web origins are allowed, and what browsers get."""

from __future__ import annotations

import pytest

from flask_shim.config import Config
from flask_shim.middleware.origins import ALLOWED_HEADERS, Origins, answer_headers, preflight_headers

DEFAULT = Origins(Config().allowed_origins)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost",
        "http://localhost:3000",
        "https://127.0.0.1:8080",
        "http://0.0.0.0:1",
        "http://[::1]:5173",
        "HTTP://LOCALHOST:3000",
        "app://obsidian.md",
        "file://x",
        "tauri://localhost",
        "vscode-webview://abc",
        "vscode-file://vscode-app",
    ],
)
def test_ollamas_own_origins_are_allowed_by_default(origin):
    assert DEFAULT.allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "NULL",
        "https://evil.test",
        "http://localhost.evil.test",
        "http://localhost:3000.evil.test",
        "http://localhost:",
        "http://localhost:3000@evil.test",
        "http://localhost:3000/",
        "http://127.0.0.10",
        "http://127x0x0x1",
        "ftp://localhost",
        "chrome-extension://abc",
        "moz-extension://abc",
        "http://localhost, https://evil.test",
        "https://evil.test,http://localhost",
        "app://a b",
        "app://a\r\nX-Forged: 1",
        "app://\xe4",
        "app://" + "a" * 300,
    ],
)
def test_other_origins_are_not(origin):
    assert not DEFAULT.allows(origin)


@pytest.mark.parametrize(
    ("entry", "origin", "is_allowed"),
    [
        ("https://ui.example", "https://ui.example", True),
        ("https://ui.example", "https://UI.example", True),
        ("https://ui.example", "https://ui.example:8443", False),
        ("https://ui.example", "http://ui.example", False),
        ("https://ui.example:8443", "https://ui.example:8443", True),
        ("https://ui.example:*", "https://ui.example:8443", True),
        ("https://*.example", "https://a.b.example", True),
        ("https://*.example", "https://.example.evil.test", False),
        ("https://a*a.example", "https://a.example", False),
        ("chrome-extension://*", "chrome-extension://abc", True),
        ("*.example", "null", False),
        ("*ll", "null", False),
        ("null", "null", False),
        ("*", "null", True),
        ("*", "https://evil.test", True),
        ("https://ui.example", "http://localhost:3000", True),
    ],
)
def test_configured_origins_are_allowed_in_addition(entry, origin, is_allowed):
    assert Origins([entry]).allows(origin) is is_allowed


@pytest.mark.parametrize("origin", ["http://localhost", "app://obsidian.md", "https://ui.example"])
def test_an_empty_list_allows_none_at_all(origin):
    assert not Origins(()).allows(origin)


def test_what_is_remembered_is_bounded():
    origins = Origins(["https://ui.example"])
    for number in range(1000):
        origins.allows(f"https://{number}.test")
    assert origins.lists.cache_info().currsize == 256


def test_an_answer_names_the_origin_of_the_request():
    assert answer_headers(DEFAULT, "http://localhost:3000") == [
        ("Access-Control-Allow-Origin", "http://localhost:3000"),
        ("Vary", "Origin"),
    ]


def test_cors_for_any_origin_is_a_star_as_in_ollama():
    assert answer_headers(Origins("*"), "https://a.test") == [("Access-Control-Allow-Origin", "*")]


def _allowed_by(requested: str) -> str:
    return dict(preflight_headers(requested))["Access-Control-Allow-Headers"]


def test_a_preflight_allows_ollamas_headers_and_anthropics():
    assert _allowed_by("") == ALLOWED_HEADERS
    assert {"Authorization", "Content-Type", "X-Api-Key", "Anthropic-Version"} <= set(ALLOWED_HEADERS.split(","))


@pytest.mark.parametrize(
    ("requested", "further"),
    [
        ("x-mine", ["x-mine"]),
        ("x-mine, x-yours", ["x-mine", "x-yours"]),
        ("x-mine,x-mine", ["x-mine"]),
        ("content-type, AUTHORIZATION", []),
        ("x-a\rSet-Cookie: b, x-mine", ["x-mine"]),
        ("x a, x@b, x:c, x\x00, \xe4, , x-mine", ["x-mine"]),
        ("x" * 65 + ", x-mine", ["x-mine"]),
    ],
)
def test_a_preflight_allows_the_requested_valid_header_names(requested, further):
    assert _allowed_by(requested) == ",".join([ALLOWED_HEADERS, *further])


def test_a_preflight_for_thousands_of_headers_allows_some():
    assert len(_allowed_by(",".join(f"x-{number}" for number in range(5000))).split(",")) < 100

"""Answers that never change come from memory, and are the same as if they did not."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from support.apps import several_apps
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_shim.middleware import static_responses
from flask_shim.middleware.static_responses import PATHS, static_responses_of

HOST = "127.0.0.1:11434"


@pytest.fixture
def app(tmp_path):
    """Return a function that builds the application of some settings; all are closed at the end."""
    with several_apps(data_dir=tmp_path) as app_of:
        yield app_of


def ask(app, path="/api/version", method="GET", host=HOST, **headers):
    environ = EnvironBuilder(path, method=method, base_url=f"http://{host}").get_environ()
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    blocks, status, headers = run_wsgi_app(app, environ, buffered=True)
    headers.pop("X-Request-ID")
    return status, dict(headers), b"".join(blocks)


@pytest.fixture
def views(monkeypatch):
    """Return the list of paths whose answers were made by Flask; take it before the application."""
    made = []
    original = Flask.wsgi_app

    def noting(app, environ, start_response):
        made.append(environ["PATH_INFO"])
        return original(app, environ, start_response)

    monkeypatch.setattr(Flask, "wsgi_app", noting)
    return made


@pytest.mark.parametrize("path", PATHS)
def test_the_second_answer_is_the_first_and_flask_is_asked_once(path, views, app):
    shim = app()
    first = ask(shim, path)
    assert first[0] == "200 OK"
    assert ask(shim, path) == ask(shim, path) == first
    assert views == [path]


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"method": "OPTIONS"},
        {"host": "evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "https://evil.example"},
        {"path": "/api/version/"},
        {"path": "//api/version"},
        {"path": "/api/tags/.."},
    ],
    ids=str,
)
def test_whatever_else_is_asked_gets_what_it_got_before(changed, app):
    shim, other = app(), app()
    ask(shim)
    ask(shim)
    assert ask(shim, **changed) == ask(other, **changed)


def test_a_refusal_is_not_remembered(views, app):
    shim = app()
    for _ in range(2):
        assert ask(shim, host="evil.example")[0] == "403 FORBIDDEN"
    assert views == ["/api/version"] * 2
    assert not static_responses_of(shim).is_ready("GET", "/api/version", {"HOST": "evil.example"})


def test_what_needs_a_key_is_never_answered_from_memory(app):
    shim = app(api_keys=("secret",))
    assert ask(shim, authorization="Bearer secret")[0] == "200 OK"
    assert ask(shim)[0] == "401 UNAUTHORIZED"
    assert ask(shim, "/health")[0] == "200 OK"
    assert static_responses_of(shim).is_ready("GET", "/health", {"HOST": HOST})
    assert not static_responses_of(shim).is_ready("GET", "/api/version", {"HOST": HOST})


def test_ready_is_only_what_was_given_before_and_is_asked_in_the_same_way(app):
    shim = app()
    is_ready = static_responses_of(shim).is_ready
    assert not is_ready("GET", "/", {"HOST": HOST})
    ask(shim, "/")
    assert is_ready("GET", "/", {"HOST": HOST})
    assert not is_ready("HEAD", "/", {"HOST": HOST})
    assert not is_ready("GET", "/health", {"HOST": HOST})
    assert not is_ready("GET", "/", {"HOST": "localhost"})
    assert not is_ready("GET", "/", {})
    assert not is_ready("GET", "/", {"HOST": HOST, "ORIGIN": "http://localhost"})
    assert not is_ready("GET", "/", {"HOST": HOST, "CONTENT_LENGTH": "2"})


def test_made_up_hosts_do_not_fill_the_memory(app, monkeypatch):
    monkeypatch.setattr(static_responses, "MOST_KEPT", 3)
    shim = app()
    for number in range(5):
        assert ask(shim, host=f"127.0.0.{number}")[0] == "200 OK"
    ready = [
        static_responses_of(shim).is_ready("GET", "/api/version", {"HOST": f"127.0.0.{number}"}) for number in range(5)
    ]
    assert ready == [True] * 3 + [False] * 2


def test_answers_from_memory_are_logged_and_counted_like_others(app, caplog):
    shim = app(metrics=True)
    with caplog.at_level(logging.INFO, "flask_shim.observability.access_log"):
        for _ in range(3):
            ask(shim)
    assert [record.getMessage().partition(" ms=")[0] for record in caplog.records] == [
        "method=GET path=/api/version status=200"
    ] * 3
    counted = shim.test_client().get("/metrics", base_url=f"http://{HOST}").text
    assert 'shim_requests_total{method="GET",route="/api/version",status="200"} 3.0' in counted

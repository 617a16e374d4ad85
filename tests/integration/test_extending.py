"""What the documentation says of extending the shim works."""

from __future__ import annotations

import pytest
import requests
from flask import Response, request, url_for
from support.answers import by_path, lm_studio, model, replies, streams

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.lmstudio import ClientOptions, LMStudio
from flask_shim.services import services_of

ASK = {"model": "tiny", "stream": False, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def app(socket_server, tmp_path):
    """Return a function that builds an application before an LM Studio, or before a backend that is given."""
    apps = []

    def build(**parts):
        backend = socket_server(lm_studio(streams("Hel", "lo"), model("tiny")))
        apps.append(create_app(Config(backend_url=backend.url, data_dir=tmp_path), **parts))
        return apps[-1]

    yield build
    for one in apps:
        services_of(one).close()


def test_a_function_before_every_request_can_be_added(app):
    shim = app()

    @shim.before_request
    def slow_down():
        return Response("slower, please", 429) if request.headers.get("X-Who") == "hasty" else None

    client = shim.test_client()
    assert client.post("/api/chat", json=ASK, headers={"X-Who": "hasty"}).status_code == 429
    assert client.post("/api/chat", json=ASK).json["message"]["content"] == "Hello"


def test_url_for_builds_every_route(app):
    with app().test_request_context():
        assert url_for("docs.page_file", name="a b", x=1) == "/docs/a%20b?x=1"
        assert url_for("models.tags") == "/api/tags"


def test_a_wsgi_middleware_can_be_put_around_it(app):
    shim = app()
    inner = shim.wsgi_app

    def outer(environ, start_response):
        return inner({**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix("/models-of-mine")}, start_response)

    shim.wsgi_app = outer
    assert shim.test_client().get("/models-of-mine/api/version").json == {"version": "0.40.12"}


def test_the_session_to_the_backend_can_be_replaced(app, socket_server):
    backend = socket_server(lm_studio(streams("Good ", "day"), model("tiny")))

    def session_with_a_note(link):
        session = requests.Session()
        session.trust_env = False
        session.headers["X-Note"] = "by way of us"
        return session

    studio = LMStudio(ClientOptions(base_url=backend.url), session_factory=session_with_a_note)
    answer = app(backend=studio).test_client().post("/api/chat", json=ASK)
    assert answer.json["message"]["content"] == "Good day"
    assert {asked.headers["x-note"] for asked in backend.asked} == {"by way of us"}


def test_any_server_with_openais_api_will_do(app, socket_server):
    answers = {"/v1/models": replies({"data": [{"id": "tiny"}]}), "/v1/chat/completions": streams("Hel", "lo")}
    backend = socket_server(by_path(answers))
    client = app(backend=LMStudio(ClientOptions(base_url=backend.url))).test_client()
    assert [entry["name"] for entry in client.get("/api/tags").json["models"]] == ["tiny:latest"]
    assert client.post("/api/chat", json=ASK).json["message"]["content"] == "Hello"

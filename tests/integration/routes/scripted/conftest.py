"""A shim in front of an LM Studio of recorded lists, whose answers a test scripts; no socket anywhere."""

from __future__ import annotations

import json
import re

import pytest
import requests
import responses
import urllib3
from support.apps import several_apps
from support.model_lists import ModelListBackend

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.http.transport import Transport

URL = "http://lmstudio.test:1234"
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
UNEXPECTED = {"error": "Unexpected endpoint or method. (POST /x)"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}


class Backend(ModelListBackend):
    """The scripted LM Studio."""

    def __init__(self, mock):
        super().__init__(mock, URL)
        self.is_up = True
        self.set_version(ApiVersion.V1)
        self.script("Hel", "lo")

    def script(self, *steps, usage=USAGE, finish="stop"):
        """Answer every generation with these: texts are tokens, objects are events."""
        last = {"choices": [{"delta": {}, "finish_reason": finish}]}
        self.sends(*steps, last, {"choices": [], "usage": usage}, end="data: [DONE]\n\n")

    def sends(self, *steps, end=""):
        """Answer every generation with these and hang up."""
        self.answers(("".join(map(self._event, steps)) + end).encode(), content_type="text/event-stream")

    def answers(self, body, status=200, paths=(CHAT, COMPLETIONS), **more):
        """Answer these paths with a body of one's own."""
        data = body if isinstance(body, (bytes, Exception)) else json.dumps(body).encode()
        more = {"content_type": "application/json", **more}
        for path in paths:
            self.mock.upsert(responses.POST, URL + path, body=data, status=status, **more)

    def goes_away(self):
        """Take no more connections."""
        self.is_up = False
        refused = urllib3.exceptions.NewConnectionError(None, "Connection refused")
        failure = requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, URL, refused))
        self.mock.reset()
        for method in ("GET", "POST"):
            self.mock.add(method, re.compile(re.escape(URL)), body=failure)

    def comes_back(self):
        """Be there again, as at the beginning."""
        self.is_up = True
        self.mock.reset()
        self.set_version(self.generation)
        self.script("Hel", "lo")

    @property
    def listings(self):
        """How often the backend's list was asked for."""
        return len([call for call in self.mock.calls if call.request.method == "GET"])

    @property
    def asked(self):
        """The path and body of everything that was sent but for lists."""
        posts = [call.request for call in self.mock.calls if call.request.method != "GET"]
        return [(post.url.removeprefix(URL), json.loads(post.body)) for post in posts]

    @property
    def payload(self):
        """The body of the only thing that was sent."""
        [(_, payload)] = self.asked
        return payload

    @staticmethod
    def _event(step):
        value = {"choices": [{"delta": {"content": step}}]} if isinstance(step, str) else step
        return f"data: {json.dumps(value)}\n\n"


class Client:
    """A client of the shim that speaks of what it wants."""

    def __init__(self, app):
        self.http = app.test_client()

    def chat(self, text="Hello", **more):
        return self.post("/api/chat", {"model": "plain-7b", "messages": [{"role": "user", "content": text}], **more})

    def generate(self, prompt="Hello", **more):
        return self.post("/api/generate", {"model": "plain-7b", "prompt": prompt, **more})

    def ask(self, route, **more):
        """Chat or generate."""
        return {"chat": self.chat, "generate": self.generate}[route](**more)

    def show(self, model, **more):
        return self.post("/api/show", {"model": model, **more})

    def post(self, path, body):
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.http.post(path, data=data)

    def get(self, path):
        return self.http.get(path)

    def __getattr__(self, name):
        return getattr(self.http, name)


@pytest.fixture
def backend(monkeypatch):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        scripted = Backend(mock)
        monkeypatch.setattr(Transport, "is_reachable", lambda _: scripted.is_up)
        yield scripted


@pytest.fixture
def shim(backend, tmp_path):
    """Return a function that makes a shim with these settings and gives a client of it."""
    usual = {"default_temperature": None, "data_dir": tmp_path / "data", "request_retries": 0}
    with several_apps(backend_url=URL, **usual) as app_of:
        yield lambda **settings: Client(app_of(**settings))


@pytest.fixture
def client(shim):
    return shim()


@pytest.fixture
def lines():
    """Return a function that decodes the lines of a streamed answer."""

    def of(response):
        assert response.data.endswith(b"\n")
        return [json.loads(line) for line in response.data.split(b"\n")[:-1]]

    return of

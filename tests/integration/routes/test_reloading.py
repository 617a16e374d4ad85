"""POST /shim/reload: changes of flask-shim.toml apply to new requests, and a file with mistakes changes nothing."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from support.answers import streams
from support.apps import several_apps
from support.fake_lmstudio import FakeLMStudio

from flask_shim.config import shim_file
from flask_shim.observability.activity import activity_of
from flask_shim.observability.logs import OneLine, RecentLines
from flask_shim.services import services_of

CHAT = "/v1/chat/completions"
TURN = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def studio():
    with FakeLMStudio({"tiny": 8192}) as running:
        yield running


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "flask-shim.toml"
    path.write_text("", encoding="utf-8")
    return path


@pytest.fixture
def app(studio, tmp_path, path):
    studio.calm()
    with several_apps(data_dir=tmp_path, backend_url=studio.url) as app_of:
        yield app_of(file=shim_file.read(path)[0])


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def temperature(client, studio):
    """Return a function that chats and returns which temperature LM Studio got."""

    def sent(headers=None):
        assert client.post("/api/chat", json={**TURN, "stream": False}, headers=headers).status_code == 200
        return studio.posted(CHAT)[-1]["temperature"]

    return sent


def test_profiles_rules_and_keys_change_with_the_file(client, path, temperature):
    assert temperature() == 0.8
    path.write_text("[model.tiny]\ntemperature = 0.3", encoding="utf-8")
    assert temperature() == 0.8
    assert client.post("/shim/reload").get_json() == {
        "file": str(path),
        "backends": 0,
        "models": 1,
        "rules": 0,
        "keys": 0,
    }
    assert temperature() == 0.3
    shown = client.post("/api/show", json={"model": "tiny"}).get_json()["parameters"]
    assert shown.split()[:2] == ["temperature", "0.3"]
    path.write_text('[key.k]\nvalue = "abc"\n[[rule]]\nkey = "k"\nset = { temperature = 0.1 }', encoding="utf-8")
    assert client.post("/shim/reload").status_code == 200
    assert [temperature(), temperature({"Authorization": "Bearer abc"})] == [0.8, 0.1]


def test_a_file_with_mistakes_changes_nothing_and_is_reported(client, path, temperature, caplog):
    path.write_text("[model.tiny]\ntemperature = 0.3", encoding="utf-8")
    client.post("/shim/reload")
    path.write_text("[model.tiny]\ntemperature = 9\n[x]", encoding="utf-8")
    answer = client.post("/shim/reload")
    problems = [f"{path}, line 2: temperature: Must be from 0 to 2.", f"{path}, line 3: x: No such table."]
    assert answer.status_code == 409
    assert [line.partition(" There are")[0] for line in answer.get_json()["error"].split("\n")] == problems
    assert all(f"not reloaded: {problem}" in caplog.text for problem in problems)
    assert temperature() == 0.3
    path.unlink()
    assert (client.post("/shim/reload").status_code, temperature()) == (409, 0.3)


def test_without_a_file_there_is_nothing_to_read_again(studio, tmp_path):
    with several_apps(data_dir=tmp_path, backend_url=studio.url) as app_of:
        answer = app_of().test_client().post("/shim/reload")
    assert (answer.status_code, "Restart the shim" in answer.get_json()["error"]) == (409, True)


def test_workers_that_do_not_answer_are_counted(app, client):
    activity = activity_of(app)
    activity.ask_others, activity.other_workers = (lambda *_: [()]), 3
    assert client.post("/shim/reload").get_json()["silent_workers"] == 2


def test_a_page_of_another_site_can_not_reload(client):
    assert client.post("/shim/reload", headers={"Origin": "https://elsewhere"}).status_code == 403


def test_a_stream_ends_as_it_began(app, client, studio, path):
    may_go_on = threading.Event()
    studio.answers[CHAT] = streams("one", lambda _: may_go_on.wait(20), "two")
    response = client.post("/api/chat", json=TURN)
    lines = response.iter_encoded()
    first = next(lines)
    path.write_text("[model.tiny]\ntemperature = 0.3", encoding="utf-8")
    assert app.test_client().post("/shim/reload").status_code == 200
    may_go_on.set()
    records = [json.loads(line) for line in (first + b"".join(lines)).splitlines()]
    response.close()
    assert ("".join(each["message"]["content"] for each in records), records[-1]["done_reason"]) == ("onetwo", "stop")


@pytest.fixture
def other():
    with FakeLMStudio({"tiny": 4096, "large": 4096}) as running:
        yield running


def tables(**backends):
    """Return the text of a file with these backends, each a pair of an LM Studio and a priority."""
    return "\n".join(
        f'[[backend]]\nname = "{name}"\nurl = "{backend.url}"\npriority = {priority}'
        for name, (backend, priority) in backends.items()
    )


def test_a_stream_of_a_backend_that_left_ends_as_it_began(app, client, studio, other, path, until):
    def reload(**backends):
        path.write_text(tables(**backends), encoding="utf-8")
        assert app.test_client().post("/shim/reload").get_json()["backends"] == len(backends)

    def contexts():
        models = client.get("/api/tags").get_json()["models"]
        return {model["name"]: model["details"]["context_length"] for model in models}

    assert contexts() == {"tiny:latest": 8192}
    may_go_on = threading.Event()
    studio.answers[CHAT] = streams("one", lambda _: may_go_on.wait(20), "two")
    response = client.post("/api/chat", json=TURN)  # of the one that the settings name
    lines = response.iter_encoded()
    text = next(lines)
    reload(a=(studio, 1), b=(other, 0))
    until(lambda: contexts() == {"tiny:latest": 8192, "large:latest": 4096})  # a slow list comes later
    reload(a=(studio, 0), b=(other, 1))
    until(lambda: contexts() == {"tiny:latest": 4096, "large:latest": 4096})
    reload(b=(other, 0))
    assert client.post("/api/chat", json={**TURN, "stream": False}).get_json()["message"]["content"] == "Hello world"
    may_go_on.set()
    text += b"".join(lines)
    response.close()
    assert b"two" in text
    assert json.loads(text.splitlines()[-1])["done_reason"] == "stop"


@pytest.mark.parametrize("after", ["removed", "with another token"])
def test_a_reload_does_not_end_the_keep_alive_of_a_model(client, studio, other, path, until, after):
    studio.models = {"tiny": None}
    path.write_text(tables(a=(studio, 1), b=(other, 0)), encoding="utf-8")
    assert client.post("/shim/reload").status_code == 200
    until(lambda: "tiny:latest" in {model["name"] for model in client.get("/api/tags").get_json()["models"]})
    asked = {**TURN, "model": "a/tiny", "stream": False, "options": {"num_ctx": 4096}, "keep_alive": "200ms"}
    assert client.post("/api/chat", json=asked).status_code == 200
    left = tables(b=(other, 0)) + (
        f'\n[[backend]]\nname = "a"\nurl = "{studio.url}"\ntoken = "t"' * (after != "removed")
    )
    path.write_text(left, encoding="utf-8")
    assert client.post("/shim/reload").status_code == 200
    until(lambda: studio.models == {"tiny": None})
    assert len(studio.posted("/api/v1/models/unload")) == 1


def test_new_tokens_are_left_out_of_the_log(app, path, monkeypatch):
    handler = RecentLines()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    handler.setFormatter(OneLine())
    path.write_text('[[backend]]\nname = "a"\nurl = "http://127.0.0.1:9"\ntoken = "secret"', encoding="utf-8")
    assert services_of(app).reload() == ()
    logging.getLogger("flask_shim").error("it says secret")
    assert handler.lines[-1]["text"].endswith("it says ***")

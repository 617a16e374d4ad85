"""The inspector: both sides of an exchange, refused requests, replay; for this machine or with the key."""

from __future__ import annotations

from functools import partial

import pytest

from flask_shim.observability.activity import activity_of
from flask_shim.routes.exchange_records import QUESTIONS

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "options": {"num_predict": 5, "mirostat": 1}}


def newest(client, **headers):
    listed = client.get("/shim/exchanges", headers=headers).json["exchanges"]
    return client.get(f"/shim/exchanges/{listed[0]['id']}", headers=headers).json


def test_both_sides_of_a_chat_are_shown_with_reasons(shim, backend):
    client = shim(inspect=5)
    client.post("/api/chat", json=CHAT, headers={"Authorization": "Bearer sk-secret"}, buffered=True)
    shown = newest(client)
    assert shown["client"]["request"]["body"] == CHAT
    assert shown["client"]["request"]["headers"]["Authorization"] == "(left out)"
    assert (shown["status"], shown["outcome"], shown["error"]) == (200, "done", None)
    [sent] = shown["backend"]
    assert (sent["request"]["path"], sent["request"]["body"]["max_tokens"]) == ("/v1/chat/completions", 5)
    assert "Hel" in "".join(chunk["text"] for chunk in sent["answer"]["first"])
    assert '"done":true' in "".join(chunk["text"] for chunk in shown["answer"]["first"])
    changes = {change["field"]: change["change"] for change in shown["changes"]}
    assert changes["options.num_predict"] == "sent as max_tokens: 5"
    assert changes["options.mirostat"] == "left out"


def test_forwarded_requests_are_shown(shim):
    client = shim(inspect=5)
    body = {"model": "tiny", "messages": CHAT["messages"], "stream": True}
    client.post("/v1/chat/completions", json=body, buffered=True)
    shown = newest(client)
    assert shown["backend"][0]["request"]["body"] == body
    assert shown["changes"] == []


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [("/api/chat", {"model": "none"}, "model 'none' not found"), ("/api/generate", {}, "model '' not found")],
)
def test_refused_requests_are_shown_with_their_error(shim, path, body, error):
    client = shim(inspect=5)
    client.post(path, json=body, buffered=True)
    shown = newest(client)
    assert (shown["status"], shown["error"], shown["backend"]) == (404, error, [])
    assert shown["client"]["request"]["body"] == body


def test_requests_without_the_key_are_shown_without_their_body(shim):
    client = shim(inspect=5, api_keys=("sk-1",))
    client.post("/api/chat", json=CHAT, buffered=True)
    shown = newest(client, Authorization="Bearer sk-1")
    assert (shown["status"], shown["rejected_by"], shown["client"]["request"]["body"]) == (401, "key", None)


def test_nothing_is_kept_until_it_is_switched_on(shim):
    client = shim()
    client.post("/api/chat", json=CHAT, buffered=True)
    assert client.get("/shim/exchanges").json == {"recording": {"limit": 0, "until": None}, "exchanges": []}
    client.post("/shim/exchanges", json={"limit": 3, "minutes": 1})
    client.post("/api/chat", json=CHAT, buffered=True)
    listed = client.get("/shim/exchanges").json
    assert (listed["recording"]["limit"], len(listed["exchanges"])) == (3, 1)
    client.delete("/shim/exchanges")
    assert client.get("/shim/exchanges").json["exchanges"] == []


def test_message_that_breaks_the_prompt_cache_is_named(shim):
    client = shim(inspect=5)
    for day in ("Monday", "Tuesday"):
        turns = [{"role": "system", "content": f"Today is {day}."}, *CHAT["messages"]]
        client.post("/api/chat", json={"model": "tiny", "messages": turns}, buffered=True)
    assert (newest(client)["prompt_prefix"]["differs_at"], newest(client)["prompt_prefix"]["role"]) == (0, "system")


@pytest.fixture
def workers(shim):
    """Clients of two workers that ask each other, with inspectors that are on."""

    def ask(other, question, argument):
        with other.application.app_context():
            yield QUESTIONS[question](argument)

    one, two = clients = shim(inspect=5), shim(inspect=5)
    activity_of(one.application).ask_others = partial(ask, two)
    activity_of(two.application).ask_others = partial(ask, one)
    return clients


def test_every_worker_shows_the_exchanges_of_all(workers):
    for client in workers:
        client.post("/api/chat", json=CHAT, buffered=True)
    first, second = (client.get("/shim/exchanges").json["exchanges"] for client in workers)
    assert first == second
    assert len(first) == 2
    for row in first:
        shown = [client.get(f"/shim/exchanges/{row['id']}").json for client in workers]
        assert shown[0] == shown[1]
        assert shown[0]["client"]["request"]["body"] == CHAT
    assert newest(workers[0])["prompt_prefix"] == {"previous": first[1]["id"], "differs_at": None}


def test_any_worker_replays_an_exchange(workers, backend):
    workers[0].post("/api/chat", json=CHAT, buffered=True)
    answer = workers[1].post(f"/shim/exchanges/{newest(workers[1])['id']}/replay")
    assert "Hel" in answer.text
    assert len(backend.asked_for("/v1/chat/completions")) == 2


def test_any_worker_switches_all_of_them(workers):
    def limits():
        return [client.get("/shim/exchanges").json["recording"]["limit"] for client in workers]

    workers[0].post("/api/chat", json=CHAT, buffered=True)
    workers[1].delete("/shim/exchanges")
    assert (limits(), workers[0].get("/shim/exchanges").json["exchanges"]) == ([0, 0], [])
    workers[0].post("/shim/exchanges", json={"limit": 3, "minutes": 1})
    assert limits() == [3, 3]


def test_replay_sends_what_lm_studio_received(shim, backend):
    client = shim(inspect=5)
    client.post("/api/chat", json=CHAT, buffered=True)
    first = newest(client)
    answer = client.post(f"/shim/exchanges/{first['id']}/replay")
    assert "Hel" in answer.text
    assert answer.content_type == "text/event-stream"
    payloads = [sent.json for sent in backend.asked_for("/v1/chat/completions")]
    assert payloads[0] == payloads[1]


def test_requests_of_which_something_is_left_out_cannot_be_replayed(shim):
    client = shim(inspect=5)
    body = {"model": "tiny", "messages": CHAT["messages"], "metadata": {"api_key": "sk-secret"}}
    client.post("/v1/chat/completions", json=body, buffered=True)
    answer = client.post(f"/shim/exchanges/{newest(client)['id']}/replay")
    assert (answer.status_code, "left out" in answer.json["error"]) == (400, True)


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_other_machines_need_the_key(shim, method):
    away = {"environ_base": {"REMOTE_ADDR": "192.168.1.5"}}
    assert getattr(shim(), method)("/shim/exchanges", json={}, **away).status_code == 403
    with_key = {**away, "headers": {"Authorization": "Bearer sk-1"}}
    assert getattr(shim(api_keys=("sk-1",)), method)("/shim/exchanges", json={}, **with_key).status_code == 200


def test_exchanges_that_are_not_kept_are_404(client):
    assert client.get("/shim/exchanges/none").status_code == 404

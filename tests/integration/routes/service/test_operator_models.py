"""The operator's models: listed with their state, loaded for a while, unloaded, pulled; who may do that."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

REGULAR, VISION = "qwen/qwen3-4b-2507", "qwen3-vl-4b-instruct"


def rows(client):
    return {row["key"]: row for row in client.get("/shim/models").json["models"]}


def test_models_are_listed_with_their_state(client):
    listed = rows(client)
    assert listed.keys() == {REGULAR, VISION, "other"}
    assert listed[REGULAR]["is_loaded"]
    assert (listed[REGULAR]["context_length"], listed[REGULAR]["expires_at"]) == (4096, None)
    assert (listed[VISION]["is_loaded"], listed[VISION]["context_length"]) == (False, None)


def test_an_unchanged_list_costs_a_304(client, backend):
    first = client.get("/shim/models")
    assert first.headers["ETag"].startswith("W/")
    seen = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/shim/models", headers=seen).status_code == 304
    backend.models[VISION] = 4096
    assert client.get("/shim/models", headers=seen).status_code == 200


def test_a_model_is_loaded_with_context_for_a_while(client, backend):
    before = datetime.now(timezone.utc)
    wanted = {"model": VISION, "context_length": 8192, "ttl_seconds": 600}
    answer = client.post("/shim/models/load", json=wanted)
    assert answer.status_code == 200, answer.text
    model = answer.json["model"]
    assert (model["is_loaded"], model["context_length"], backend.models[VISION]) == (True, 8192, 8192)
    left = datetime.fromisoformat(model["expires_at"].replace("Z", "+00:00")) - before
    assert timedelta(seconds=590) < left < timedelta(seconds=660)


def test_a_model_loaded_without_a_time_stays(client):
    assert client.post("/shim/models/load", json={"model": VISION}).json["model"]["expires_at"] is None


def test_a_model_is_unloaded(client, backend):
    answer = client.post("/shim/models/unload", json={"model": REGULAR})
    assert (answer.status_code, answer.json["model"]["is_loaded"], backend.models[REGULAR]) == (200, False, None)


def test_pulling_a_model_that_is_there_succeeds_at_once(client):
    answer = client.post("/shim/models/pull", json={"model": REGULAR})
    assert json.loads(answer.data.splitlines()[-1]) == {"status": "success"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("load", {}, 422),
        ("load", {"model": VISION, "ttl_seconds": 0}, 422),
        ("load", {"model": "nope"}, 404),
        ("unload", {"model": "nope"}, 404),
    ],
)
def test_wrong_requests_get_an_error_text(client, path, body, status):
    answer = client.post(f"/shim/models/{path}", json=body)
    assert (answer.status_code, type(answer.json["error"])) == (status, str)


def test_a_read_only_server_changes_nothing(shim, backend):
    client = shim(read_only=True)
    for path in ("load", "unload"):
        assert client.post(f"/shim/models/{path}", json={"model": REGULAR}).status_code == 403
    assert backend.models[REGULAR] == 4096


@pytest.mark.parametrize("path", ["models", "log", "history"])
def test_the_operators_routes_need_the_key(shim, path):
    client = shim(api_keys=("secret",))
    assert client.get(f"/shim/{path}").status_code == 401
    assert client.get(f"/shim/{path}", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_history_is_off_unless_days_are_set(client):
    assert client.get("/shim/history").json == {"days_kept": 0, "rows": []}

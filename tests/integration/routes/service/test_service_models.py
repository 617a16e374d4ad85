"""The service's models: listed, loaded, unloaded, in the words its clients know."""

from __future__ import annotations

import json
import threading

import pytest
from support.fake_lmstudio import CRASHED, NONE_LOADED, Status
from support.ports import unused_port

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.services import services_of

REGULAR, VISION = "qwen/qwen3-4b-2507", "qwen3-vl-4b-instruct"
LOAD, CHAT = "/api/v1/models/load", "/v1/chat/completions"
DOWN = {"detail": "Could not connect to LM Studio: Connection refused"}


@pytest.fixture
def nowhere(tmp_path):
    """Give a client of a shim whose LM Studio is not there."""
    config = Config(backend_url=f"http://127.0.0.1:{unused_port()}", connect_timeout=1, data_dir=tmp_path)
    app = create_app(config)
    yield app.test_client()
    services_of(app).close()


def load(client, key=REGULAR, **more):
    return client.post("/models/load", json={"model_key": key, **more})


# --- the list ---


def test_list_shows_what_is_loaded(client):
    assert client.get("/models").json == {
        "models": [
            {
                "key": REGULAR,
                "display_name": REGULAR,
                "type": "llm",
                "context_length": 4096,
                "instances": [REGULAR],
            }
        ]
    }


def test_list_follows_what_happens_in_lm_studio(client, backend):
    client.get("/models")
    backend.models[REGULAR] = None
    assert client.get("/models").json == {"models": []}


@pytest.mark.parametrize("generation", ["openai"])
def test_list_is_501_without_states(client):
    answer = client.get("/models")
    assert (answer.status_code, list(answer.json)) == (501, ["detail"])
    assert "does not tell which models are loaded" in answer.json["detail"]


# --- loading ---


def test_load_answers_with_the_model(client, backend):
    assert load(client, "other").json == {
        "loaded": True,
        "model": {"key": "other", "display_name": "other"},
        "error": None,
    }
    assert backend.models == {REGULAR: 4096, VISION: None, "other": 4096}


def test_load_of_what_is_loaded_loads_no_second_copy(client, backend):
    assert load(client).json["loaded"] is True
    assert backend.posted(LOAD) == []


def test_load_sees_that_a_model_was_unloaded_in_lm_studio(client, backend):
    load(client)
    backend.models[REGULAR] = None
    load(client)
    assert backend.models[REGULAR] == 4096


@pytest.mark.parametrize("key", ["Other", "other:latest"])
def test_load_accepts_names_as_ollamas_clients_write_them(client, key):
    assert load(client, key).json["model"]["key"] == "other"


def test_exclusive_load_unloads_the_others(client, backend):
    assert load(client, VISION, exclusive=True).json["loaded"] is True
    assert backend.models == {REGULAR: None, VISION: 4096, "other": None}


def test_exclusive_load_leaves_the_model_itself_loaded(client, backend):
    load(client, exclusive=True)
    assert backend.paths() == []


@pytest.mark.parametrize(
    ("asked", "loaded_with"),
    [({"context_length": 2048}, 4096), ({"context_length": 8192}, 8192), ({"context_length": 99999}, 8192)],
)
def test_context_is_at_least_the_requested_one(client, backend, asked, loaded_with):
    assert load(client, **asked).json["loaded"] is True
    assert backend.models[REGULAR] == loaded_with


def test_load_settings_are_passed_on_and_replace_what_is_loaded(client, backend):
    assert load(client, flash_attention=True, eval_batch_size=256).json["loaded"] is True
    settings = {"flash_attention": True, "eval_batch_size": 256}
    assert backend.posted(LOAD) == [{"model": REGULAR, "echo_load_config": True, **settings}]
    assert backend.posted("/api/v1/models/unload") == [{"instance_id": REGULAR}]


def test_simultaneous_loads_load_one_copy(client, backend):
    backend.may_load.clear()
    threads = [threading.Thread(target=load, args=(client.application.test_client(), "other")) for _ in range(3)]
    for thread in threads:
        thread.start()
    backend.may_load.set()
    for thread in threads:
        thread.join()
    assert len(backend.posted(LOAD)) == 1


def test_loaded_model_stays_unless_a_time_is_set(shim):
    for settings, seconds in (({}, float("inf")), ({"default_ttl": 60.0}, 60.0)):
        client = shim(**settings)
        load(client, "other")
        resident = services_of(client.application).backends.first.loader.tracker.of("other")
        assert resident.keep_alive == seconds
        client.post("/models/unload", json={"model_key": "other"})


def test_model_that_is_not_there_is_not_loaded(client):
    answer = load(client, "nope")
    assert answer.status_code == 200
    assert answer.json == {"loaded": False, "error": "Failed to load model: Model not found"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (CRASHED, "Failed to load model. Out of memory."),
        (Status(400, {"error": "no such setting"}), "Failed to load model: no such setting"),
    ],
)
def test_failed_load_reports_the_reason(client, backend, answer, error):
    backend.answers[LOAD] = answer
    assert load(client, "other").json == {"loaded": False, "error": error}


@pytest.mark.parametrize("generation", ["v0", "openai"])
def test_old_backend_loads_on_the_first_request(client, backend):
    assert load(client, "other").json["loaded"] is True
    assert [body["max_tokens"] for body in backend.posted(CHAT)] == [1]


@pytest.mark.parametrize("generation", ["v0"])
@pytest.mark.parametrize("more", [{}, {"context_length": 8192}, {"flash_attention": True}])
def test_load_with_an_old_backend_is_an_error(client, backend, more):
    backend.answers[CHAT] = NONE_LOADED
    answer = load(client, "other", **more).json
    assert answer["loaded"] is False
    assert "LM Studio 0.4 or later" in answer["error"]


@pytest.mark.parametrize("generation", ["openai"])
def test_exclusive_load_fails_without_a_state_of_models(client):
    assert "does not tell which models are loaded" in load(client, exclusive=True).json["error"]


# --- what all of them have in common ---

CHANGES = [("/models/load", {"model_key": REGULAR}), ("/models/unload", {"unload_all": True})]


@pytest.mark.parametrize(("path", "body"), [*CHANGES, ("/models", None)])
def test_unreachable_lm_studio_has_the_usual_error(nowhere, path, body):
    answer = nowhere.get(path) if body is None else nowhere.post(path, json=body)
    assert (answer.status_code, answer.json) == (503, DOWN)


@pytest.mark.parametrize(("path", "body"), CHANGES)
def test_read_only_shim_changes_nothing(shim, backend, path, body):
    answer = shim(read_only=True).post(path, json=body)
    assert (answer.status_code, "read-only" in answer.json["detail"]) == (403, True)
    assert backend.paths() == []


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/models/load", {}, "model_key: Missing data for required field."),
        ("/models/load", {"model_key": ""}, "model_key: Shorter than minimum length 1."),
        (
            "/models/load",
            {"model_key": "m", "context_length": 0},
            "context_length: Must be greater than or equal to 1.",
        ),
        ("/models/load", {"model_key": "m", "exclusive": "maybe"}, "exclusive: Not a valid boolean."),
        ("/models/load", [], "the body is not a JSON object"),
        ("/models/unload", {"unload_all": 5}, "unload_all: Not a valid boolean."),
        ("/models/unload", {"model_key": 5}, "model_key: Not a valid string."),
        ("/models/unload", b"{", "the body is not JSON"),
    ],
)
def test_invalid_body_names_the_wrong_field(client, path, body, detail):
    answer = client.post(path, data=body if isinstance(body, bytes) else json.dumps(body))
    assert (answer.status_code, answer.json) == (422, {"detail": detail})

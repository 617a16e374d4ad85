"""The service unloads models: one, or all."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import UNLOAD, Status

from flask_shim.services import services_of

REGULAR, VISION = "qwen/qwen3-4b-2507", "qwen3-vl-4b-instruct"


def unload(client, **body):
    return client.post("/models/unload", json=body)


def test_unload_of_one_model(client, backend):
    assert unload(client, model_key=REGULAR).json == {"success": True, "unloaded_keys": [REGULAR], "error": None}
    assert backend.models[REGULAR] is None


def test_unload_of_all_models(client, backend):
    backend.models["other"] = 4096
    answer = unload(client, unload_all=True).json
    assert answer == {"success": True, "unloaded_keys": [REGULAR, "other"], "error": None}
    assert set(backend.models.values()) == {None}


def test_unload_of_all_is_meant_even_if_one_is_named(client, backend):
    backend.models["other"] = 4096
    assert unload(client, unload_all=True, model_key="other").json["unloaded_keys"] == [REGULAR, "other"]


@pytest.mark.parametrize("body", [{"model_key": VISION}, {"unload_all": True}])
def test_unload_of_nothing_is_a_success(client, backend, body):
    backend.models[REGULAR] = None
    assert unload(client, **body).json == {"success": True, "unloaded_keys": [], "error": None}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "Must specify model_key or unload_all=true"),
        ({"model_key": None, "unload_all": False}, "Must specify model_key or unload_all=true"),
        ({"model_key": "nope"}, "Model not found: nope"),
    ],
)
def test_failed_unload_reports_the_reason(client, body, error):
    assert unload(client, **body).json == {"success": False, "unloaded_keys": [], "error": error}


def test_failed_unload_names_the_models_that_were_unloaded_before_it(client, backend):
    backend.models["other"] = 4096
    failure = Status(400, {"error": {"message": "The model is busy."}})
    backend.answer = lambda asked: failure if asked.path == UNLOAD and asked.json["instance_id"] == "other" else None
    answer = unload(client, unload_all=True).json
    assert (answer["success"], answer["unloaded_keys"]) == (False, [REGULAR])
    assert "The model is busy." in answer["error"]


@pytest.mark.parametrize(("generation", "body"), [("v0", {"unload_all": True}), ("openai", {"model_key": "other"})])
def test_unload_with_an_old_backend_is_an_error(client, body):
    answer = unload(client, **body).json
    assert (answer["success"], answer["unloaded_keys"]) == (False, [])
    assert "LM Studio 0.4 or later" in answer["error"]


def test_unload_cuts_no_answer(client, backend):
    parts = services_of(client.application)
    resident = parts.backends.first.loader.tracker.of(REGULAR)
    parts.backends.first.loader.tracker.enter(resident, None)
    assert unload(client, model_key=REGULAR).json["success"] is True
    assert backend.models[REGULAR] == 4096
    assert resident.keep_alive == 0  # it goes with the last answer
    parts.backends.first.loader.tracker.leave(resident)

"""The client as a whole: loading, unloading, embeddings, and which api_version can do what."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
import responses
from support.answers import model
from support.ports import unused_port
from support.recorded import FILES, OPENAI, V0, V1

from flask_shim.backend import client_from_env
from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio, Model
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    BackendUnavailable,
    ModelLoadError,
    ModelNotFound,
    NotSupported,
)
from flask_shim.lmstudio.http.session import build_session
from flask_shim.lmstudio.model import Instance

URL = "http://127.0.0.1:1234"
LISTS = {ApiVersion.V1: V1, ApiVersion.V0: V0, ApiVersion.OPENAI: OPENAI}
UNEXPECTED = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}


@pytest.fixture
def mock():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for api_version in FILES:
            mock.get(URL + api_version.value, json=V1 if api_version is ApiVersion.V1 else UNEXPECTED)
        yield mock


@pytest.fixture
def client():
    client = LMStudio(ClientOptions(base_url=URL))
    yield client
    client.close()


def asked(mock, path):
    return [json.loads(call.request.body) for call in mock.calls if call.request.url == URL + path]


def test_a_model_is_loaded_with_the_context_that_is_wanted(mock, client):
    result = {"type": "llm", "instance_id": "m", "load_time_seconds": 1.5, "status": "loaded"}
    mock.post(f"{URL}/api/v1/models/load", json=result)
    assert client.load("m", context_length=4096) == result
    assert asked(mock, "/api/v1/models/load") == [{"model": "m", "echo_load_config": True, "context_length": 4096}]


def test_without_a_context_the_backend_chooses_it(mock, client):
    mock.post(f"{URL}/api/v1/models/load", json={})
    client.load("m")
    assert asked(mock, "/api/v1/models/load") == [{"model": "m", "echo_load_config": True}]


def test_a_failed_load_reports_the_reason(mock, client):
    text = 'Failed to load model "m". Error: Model loading aborted due to insufficient system resources.'
    mock.post(f"{URL}/api/v1/models/load", json={"error": {"message": text, "type": "model_load_failed"}}, status=500)
    with pytest.raises(ModelLoadError, match="insufficient system resources"):
        client.load("m")


def test_every_copy_is_unloaded(mock, client):
    mock.post(f"{URL}/api/v1/models/unload", json={})
    client.unload(Model(key="m", instances=(Instance("m"), Instance("m:2"))))
    assert asked(mock, "/api/v1/models/unload") == [{"instance_id": "m"}, {"instance_id": "m:2"}]


CHANGES = {
    "load": lambda client: client.load("m"),
    "unload": lambda client: client.unload(Model(key="m", instances=(Instance("m"),))),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_list_is_requested_again_after_a_change(mock, client, what):
    mock.post(f"{URL}/api/v1/models/{what}", json={})
    before = client.listing()
    CHANGES[what](client)
    assert client.listing() is not before


@pytest.mark.parametrize("what", CHANGES)
def test_the_list_is_requested_again_after_a_failed_change(mock, client, what):
    mock.post(f"{URL}/api/v1/models/{what}", json={"error": "x"}, status=500)
    before = client.listing()
    with pytest.raises(BackendError):
        CHANGES[what](client)
    assert client.listing() is not before


@pytest.mark.parametrize("api_version", [ApiVersion.V0, ApiVersion.OPENAI])
def test_older_generations_cannot_load_and_say_so(mock, client, api_version):
    for path in FILES:
        mock.upsert(responses.GET, URL + path.value, json=LISTS[path] if path is api_version else UNEXPECTED)
    with pytest.raises(NotSupported, match=r"cannot load a model over HTTP: that needs LM Studio 0\.4 or later"):
        client.load("m")
    with pytest.raises(NotSupported, match="cannot unload a model over HTTP"):
        client.unload(Model(key="m", instances=(Instance("m"),)))


def test_embeddings_are_returned_unchanged(mock, client):
    result = {"object": "list", "data": [{"object": "embedding", "embedding": [0.5, -0.5], "index": 0}], "usage": {}}
    mock.post(f"{URL}/v1/embeddings", json=result)
    assert client.embed({"model": "m", "input": ["x"]}, BackendCall()) == result


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_embeddings_that_are_no_object_are_the_backends_fault(mock, client, body):
    mock.post(f"{URL}/v1/embeddings", json=body)
    with pytest.raises(BackendProtocolError):
        client.embed({"model": "m", "input": ["x"]}, BackendCall())


def test_a_rejection_keeps_its_text(mock, client):
    mock.post(f"{URL}/v1/embeddings", json={"error": "'input' field must be a string"}, status=400)
    with pytest.raises(BackendRequestError, match="'input' field must be a string"):
        client.embed({"model": "m", "input": [1]}, BackendCall())


def test_native_paths_may_lie_elsewhere_than_openais(mock):
    client = LMStudio(ClientOptions(base_url=f"{URL}/openai", rest_url=f"{URL}/rest"))
    mock.get(f"{URL}/rest/api/v1/models", json=V1)
    mock.post(f"{URL}/openai/v1/embeddings", json={"data": []})
    assert client.models()
    assert client.embed({}, BackendCall()) == {"data": []}
    client.close()


@pytest.mark.parametrize(
    "request_to",
    [
        lambda client: client.open("POST", "/v1/chat/completions", BackendCall(), b"{}"),
        lambda client: client.embed({"model": "m", "input": "Hi"}),
    ],
)
def test_a_backend_is_detected_again_after_an_outage(request_to):
    client = LMStudio(ClientOptions(base_url=f"http://127.0.0.1:{unused_port()}", connect_retries=0))
    forgotten = []
    client.catalogue.forget = lambda: forgotten.append(1)
    with pytest.raises(BackendUnavailable):
        request_to(client)
    client.close()
    assert forgotten == [1]


def test_a_session_of_ones_own_may_be_used(mock):
    seen = []

    def factory(options):
        session = build_session(options)
        session.headers["X-Ours"] = "1"
        seen.append(options)
        return session

    client = LMStudio(ClientOptions(base_url=URL), factory)
    client.models()
    client.close()
    assert seen == [client.options]
    assert mock.calls[0].request.headers["X-Ours"] == "1"


def test_the_token_is_in_no_text_about_the_link():
    assert "secret" not in repr(ClientOptions(token="secret"))


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:1234"),
        ({"LMSTUDIO_URL": "http://box:5555"}, "http://box:5555"),
        ({"LMSTUDIO_URL": "http://box:5555/v1"}, "http://box:5555"),
        ({"LMSTUDIO_URL": "http://box:5555", "SHIM_LMSTUDIO_BASE": "http://other/v1"}, "http://other"),
    ],
)
def test_the_address_comes_from_the_environment(environ, url):
    with client_from_env(environ, env_file="") as client:
        assert client.options.base_url == url


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("SHIM_LMSTUDIO_BASE", "http://box:7")
    monkeypatch.setenv("SHIM_HTTP_TIMEOUT", "0")
    with client_from_env(env_file="") as client:
        assert (client.options.base_url, client.options.idle_timeout) == ("http://box:7", None)


COPIES = {
    "m": model("m", loaded_instances=[{"id": "m"}, {"id": "m:2"}]),
    "n": model("n", loaded_instances=[]),
}


@pytest.mark.parametrize(("name", "unloaded"), [("m", ("m", "m:2")), ("m:2", ("m:2",)), ("n", ())])
def test_a_model_is_unloaded_by_its_key_and_a_copy_by_its_own_name(mock, client, name, unloaded):
    mock.upsert(responses.GET, URL + ApiVersion.V1.value, json={"models": list(COPIES.values())})
    mock.post(f"{URL}/api/v1/models/unload", json={})
    assert client.unload(name) == unloaded
    assert asked(mock, "/api/v1/models/unload") == [{"instance_id": one} for one in unloaded]


@pytest.mark.parametrize(("is_gone", "status"), [(True, 404), (False, 404), (True, 400)])
def test_unloading_a_copy_that_went_away_meanwhile_is_a_success(mock, client, is_gone, status):
    def refuse(_):
        copies = [] if is_gone else [{"id": "m"}]
        mock.upsert(responses.GET, URL + ApiVersion.V1.value, json={"models": [model("m", loaded_instances=copies)]})
        return status, {}, json.dumps({"error": {"message": "Instance not found.", "code": "model_not_found"}})

    mock.upsert(responses.GET, URL + ApiVersion.V1.value, json={"models": [COPIES["m"]]})
    mock.add_callback(responses.POST, f"{URL}/api/v1/models/unload", refuse)
    with nullcontext() if is_gone else pytest.raises(BackendRequestError, match="Instance not found"):
        assert client.unload("m") == ("m", "m:2")


def test_a_model_that_is_not_there_cannot_be_unloaded(mock, client):
    with pytest.raises(ModelNotFound, match="has no model 'nope'"):
        client.unload("nope")


def test_a_model_is_found_by_each_of_its_names(mock, client):
    mock.upsert(responses.GET, URL + ApiVersion.V1.value, json={"models": [COPIES["m"] | {"variants": ["m@q4"]}]})
    assert {client.find(name).key for name in ("m", "m:2", "m@q4")} == {"m"}
    with pytest.raises(ModelNotFound):
        client.find("M")


@pytest.mark.parametrize("max_age", [0, None])
def test_the_list_is_fetched_once_for_a_name_that_is_not_in_it(mock, client, max_age):
    with pytest.raises(ModelNotFound):
        client.find("nope", max_age=max_age)
    assert len(mock.calls) == 1

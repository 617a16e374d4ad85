"""The lms tool does what an LM Studio before 0.4 cannot do over HTTP, if it belongs to that LM Studio."""

import json

import pytest
from support.fake_lmstudio import FakeLMStudio

from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio
from flask_shim.lmstudio.errors import ClientDisconnected, NotSupported
from flask_shim.lmstudio.lms.tool import CliTool
from flask_shim.services import services_of

VECTORS = {"model": "m", "input": "x"}
NEEDS = "that needs LM Studio 0.4 or later, or its lms tool on this machine"


def commands(fake):
    return [call for call in fake.calls if call[0] not in ("ls", "ps")]


LOAD = ["load", "--exact", "--yes", "maker/m/model.gguf"]


def test_unload_uses_the_tool(old):
    client, fake, _ = old("m", loaded=["m"])
    response = client.post("/api/embed", json={"model": "m", "keep_alive": 0})
    assert (response.status_code, response.json) == (200, {"model": "m", "embeddings": []})
    assert commands(fake) == [["unload", "m"]]


def test_model_whose_time_is_up_is_unloaded_by_the_tool(old, until):
    client, fake, _ = old("m", loaded=["m"])
    assert client.post("/api/embed", json={**VECTORS, "keep_alive": 0}).status_code == 200
    until(lambda: commands(fake) == [["unload", "m"]])


def test_model_that_is_not_loaded_by_itself_is_loaded_by_the_tool(old):
    client, fake, server = old("m")
    assert client.post("/api/embed", json=VECTORS).status_code == 200
    assert commands(fake) == [LOAD]
    assert [asked.json["input"] for asked in server.asked if asked.method == "POST"] == [["x"], ["."], ["x"]]


def test_a_model_with_too_little_context_is_reloaded_by_the_tool(old):
    client, fake, _ = old("m", loaded=["m"])
    ask = {**VECTORS, "options": {"num_ctx": 8000}}
    assert client.post("/api/embed", json=ask).status_code == 200
    assert commands(fake) == [["unload", "m"], [*LOAD[:3], "--context-length", "8000", LOAD[3]]]


def test_model_with_enough_context_is_left_alone(old):
    client, fake, _ = old("m", loaded=["m"])
    assert client.post("/api/embed", json={**VECTORS, "options": {"num_ctx": 4096}}).status_code == 200
    assert fake.calls == []


def test_context_that_the_tool_cannot_give_does_not_stop_the_answer(old):
    client, _, _ = old("m", loaded=["m"], failing={"unload": "no"})
    assert client.post("/api/embed", json={**VECTORS, "options": {"num_ctx": 8000}}).status_code == 200


@pytest.mark.parametrize("generation", ["v0", "openai"])
def test_pull_uses_the_tool(old, generation, monkeypatch):
    monkeypatch.setattr("flask_shim.lmstudio.lms.tool.POLL_SECONDS", 0.0)
    client, fake, _ = old("m", offered=["maker/new"], generation=generation)
    monkeypatch.setattr("flask_shim.inference.pull_progress.SETTLE_SECONDS", 0.0)
    response = client.post("/api/pull", json={"model": "maker/new:q4_k_m"})
    records = [json.loads(line) for line in response.data.splitlines()]
    assert records[0] == {"status": "pulling manifest"}
    assert records[-1] == {"status": "success"}
    bars = [(line.get("total"), line.get("completed")) for line in records if "digest" in line]
    assert bars[0] == (None, None)
    assert bars[-1] == (1_000_000, 1_000_000)
    assert (1_000_000, 500_000) in bars
    assert commands(fake) == [["get", "--yes", "maker/new@q4_k_m"]]


def test_pull_fails_if_the_tool_chooses_another_model(old):
    client, _, _ = old("m", similar=["llama3.2"])
    response = client.post("/api/pull", json={"model": "llama3.2", "stream": False})
    assert response.status_code == 500
    assert "no model of exactly that name" in response.json["error"]


def test_tool_is_left_alone_when_the_backend_is_another_program(old):
    client, fake, _ = old("m", loaded=["m"], greeting={"error": "no such path"})
    response = client.post("/api/embed", json={"model": "m", "keep_alive": 0})
    assert (response.status_code, response.json["error"][-len(NEEDS) :]) == (501, NEEDS)
    assert fake.calls == []


def test_model_that_nothing_can_load_is_refused_with_the_reason(old):
    client, _, _ = old("m", greeting={})
    response = client.post("/api/embed", json=VECTORS)
    assert response.status_code == 501
    assert response.json["error"].startswith("No models loaded. Please load a model")
    assert NEEDS in response.json["error"]


def test_tool_is_left_alone_when_lm_studio_takes_it_over_http(lms, backend, shim):
    fake = lms()
    server = backend(lambda asked: {"instance_id": "embedder"})
    assert shim(server.url).post("/api/embed", json={"model": "embedder", "keep_alive": 0}).status_code == 200
    assert server.paths() == ["POST /api/v1/models/unload"]
    assert fake.calls == []


def test_tool_is_left_alone_when_the_backend_is_on_another_machine(lms):
    lms()
    client = LMStudio(ClientOptions(base_url="http://192.0.2.1:1234"))
    assert client.find_tool() is None
    client.close()


def test_tool_is_found_for_this_machines_lm_studio(lms):
    fake = lms()
    with FakeLMStudio({}, lambda asked: {"lmstudio": True}) as server:
        client = LMStudio(ClientOptions(base_url=server.url, load_timeout=5))
        assert client.find_tool().program == fake.program
        client.close()


def test_given_tool_is_used_without_looking(lms):
    tool = CliTool(lms().program)
    client = LMStudio(ClientOptions(base_url="http://192.0.2.1:1234"), tool=tool)
    assert client.find_tool() is tool
    client.close()


def test_load_settings_that_the_tool_lacks_are_refused(old):
    client, fake, _ = old("m")
    backend = services_of(client.application).backends.first.client
    with pytest.raises(NotSupported, match=r"needs LM Studio 0\.4 or later$"):
        backend.load("m", flash_attention=True)
    assert commands(fake) == []


@pytest.mark.parametrize("does", [LMStudio.load, LMStudio.unload])
def test_tool_is_not_awaited_after_a_disconnect(old, does):
    client, fake, _ = old("m", loaded=["m"])
    with pytest.raises(ClientDisconnected):
        does(services_of(client.application).backends.first.client, "m", call=BackendCall(lambda: True))
    assert commands(fake) == []

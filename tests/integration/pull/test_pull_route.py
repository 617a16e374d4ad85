"""POST /api/pull before a backend that says whatever a test wants."""

import json

import pytest
from support.fake_lmstudio import Status, v1_model

from flask_shim.lmstudio import downloads
from flask_shim.services import services_of
from flask_shim.translate.ollama.alias import Alias
from flask_shim.translate.ollama.pull_records import to_pull_target

MANIFEST = {"status": "pulling manifest"}
END = [{"status": "verifying sha256 digest"}, {"status": "writing manifest"}, {"status": "success"}]
REFUSAL = {"error": {"message": 'Model "nope" not found.', "type": "model_not_found", "code": "model_not_found"}}
NOT_FOUND = 'pull model manifest: Model "nope" not found.'


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(downloads, "POLL_SECONDS", 0.0)
    monkeypatch.setattr("flask_shim.inference.pull_progress.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("flask_shim.inference.pull_progress._POLL_SECONDS", 0.0)


class Catalogue:
    """Answers downloads one after the other; the last one brings ``model``."""

    def __init__(self, *answers, models=(), brings=None):
        self.answers, self.models, self.brings = list(answers), list(models), brings

    def __call__(self, asked):
        answer = self.answers.pop(0)
        if not self.answers and self.brings:
            self.models.append(self.brings)
        return answer


def state(status, done=None):
    result = {"job_id": "job_1", "status": status, "total_size_bytes": 100}
    return result if done is None else {**result, "downloaded_bytes": done}


def lines(response):
    assert response.status_code == 200
    assert response.content_type == "application/x-ndjson"
    records = [json.loads(line) for line in response.data.splitlines()]
    response.close()  # as servers do
    return records


@pytest.fixture
def studio(backend, shim):
    """Return a function that gives a shim's client and its backend, for the answers of a catalogue."""

    def of(*answers, models=(), brings=None, **settings):
        catalogue = Catalogue(*answers, models=models, brings=brings)
        server = backend(catalogue, catalogue.models)
        return shim(server.url, **settings), server

    return of


def aliases_of(client):
    return services_of(client.application).aliases


def test_pull_reports_a_download_in_ollamas_lines(studio):
    client, server = studio(
        state("downloading"), state("downloading", 40), state("completed", 100), brings=v1_model("maker/new")
    )
    digest = to_pull_target("maker/new").digest
    line = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": 100}
    response = client.post("/api/pull", json={"model": "maker/new"})
    assert lines(response) == [MANIFEST, line, {**line, "completed": 40}, {**line, "completed": 100}, *END]
    assert server.asked[1].json == {"model": "maker/new"}
    assert client.post("/api/show", json={"model": "maker/new"}).status_code == 200


def test_pull_without_streaming_is_the_last_line_alone(studio):
    client, _ = studio(state("downloading"), state("completed", 100), brings=v1_model("maker/new"))
    response = client.post("/api/pull", json={"name": "maker/new", "model": "", "stream": False})
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.data == b'{"status":"success"}'


def test_pull_of_a_listed_model_downloads_nothing(studio):
    client, server = studio(models=[v1_model("qwen/qwen3-8b", size_bytes=77)])
    digest = client.get("/api/tags").json["models"][0]["digest"]
    line = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": 77, "completed": 77}
    for name in ("qwen/qwen3-8b", "qwen3-8b:latest", "QWEN3-8B"):
        assert lines(client.post("/api/pull", json={"model": name})) == [MANIFEST, line, *END]
    assert server.paths() == []


def test_pull_of_a_listed_model_works_where_nothing_may_change(studio):
    client, server = studio(models=[v1_model("m", size_bytes=5)], read_only=True)
    assert lines(client.post("/api/pull", json={"model": "m"}))[-1] == {"status": "success"}
    response = client.post("/api/pull", json={"model": "maker/new"})
    assert response.status_code == 403
    assert server.paths() == []


def test_pull_of_a_present_model_reports_its_size(studio):
    model = v1_model("thing", publisher="someone", quantization={"name": "Q8_0"}, size_bytes=55)
    client, server = studio({"status": "already_downloaded"}, models=[model])
    records = lines(client.post("/api/pull", json={"model": "hf.co/someone/Thing-GGUF:Q8_0"}))
    assert (records[1]["total"], records[1]["completed"]) == (55, 55)
    assert records[2:] == END
    assert server.asked[1].json == {"model": "https://huggingface.co/someone/Thing-GGUF", "quantization": "Q8_0"}


def test_pulled_name_can_be_used_for_the_model(studio):
    model = v1_model("thing", publisher="someone", quantization={"name": "Q8_0"})
    client, _ = studio(state("completed", 100), brings=model)
    name = "hf.co/someone/Thing-GGUF:Q8_0"
    assert lines(client.post("/api/pull", json={"model": name}))[-1] == {"status": "success"}
    assert name in [entry["name"] for entry in client.get("/api/tags").json["models"]]
    assert client.post("/api/show", json={"model": name}).status_code == 200


def test_pulled_name_stands_for_no_model_that_may_be_another(studio):
    model = v1_model("thing", publisher="another publisher", quantization={"name": "Q8_0"})
    client, _ = studio(state("completed", 100), brings=model)
    name = "hf.co/someone/Thing-GGUF:Q8_0"
    assert lines(client.post("/api/pull", json={"model": name}))[-1] == {"status": "success"}
    assert client.post("/api/show", json={"model": name}).status_code == 404
    assert not aliases_of(client).aliases()


def test_pulled_variant_is_the_one_used_afterwards(studio):
    model = v1_model("maker/new", variants=["maker/new@q4_k_m", "maker/new@q8_0"])
    client, server = studio(state("completed", 100), brings=model)
    assert lines(client.post("/api/pull", json={"model": "maker/new:q8_0"}))[-1] == {"status": "success"}
    assert server.asked[1].json == {"model": "maker/new@q8_0"}
    assert client.post("/api/show", json={"model": "maker/new:q8_0"}).status_code == 200


def test_pull_brings_back_the_model_of_a_name_that_lost_it(studio):
    model = v1_model("thing", publisher="someone", quantization={"name": "Q8_0"})
    client, server = studio(state("completed", 100), brings=model)
    name = "hf.co/someone/Thing-GGUF:Q8_0"
    aliases_of(client).put(Alias(name=name, base="thing", created_ns=1))
    assert lines(client.post("/api/pull", json={"model": name}))[-1] == {"status": "success"}
    assert server.paths() == ["POST /api/v1/models/download"]
    assert client.post("/api/show", json={"model": name}).status_code == 200


def test_pull_of_an_unknown_model_is_an_error_line(studio):
    client, _ = studio(Status(404, REFUSAL))
    assert lines(client.post("/api/pull", json={"model": "nope"})) == [MANIFEST, {"error": NOT_FOUND}]


def test_pull_of_an_unknown_model_without_streaming_is_a_500(studio):
    client, _ = studio(Status(404, REFUSAL))
    response = client.post("/api/pull", json={"model": "nope", "stream": False})
    assert (response.status_code, response.json) == (500, {"error": NOT_FOUND})


@pytest.mark.parametrize("stream", [True, False])
def test_pull_that_fails_midway_reports_the_reason(studio, stream):
    failed = {**state("failed"), "error_message": "disk full"}
    client, _ = studio(state("downloading"), failed)
    response = client.post("/api/pull", json={"model": "maker/new", "stream": stream})
    records = [json.loads(line) for line in response.data.splitlines()]
    assert response.status_code == (200 if stream else 500)
    assert records[-1] == {"error": "disk full"}
    assert {"status": "success"} not in records


def test_pull_says_that_lm_studio_does_not_answer(studio):
    client, _ = studio(state("downloading"), Status(500, {"error": "busy"}), state("completed", 100))
    steps = [line for line in lines(client.post("/api/pull", json={"model": "maker/new"})) if "digest" in line]
    assert [step["status"].startswith("pulling ") for step in steps] == [True, False, True]
    assert steps[1]["status"] == "waiting for LM Studio: busy"


@pytest.mark.parametrize(("stream", "status"), [(True, 200), (False, 500)])
def test_pull_without_backend_is_ollamas_error(backend, shim, stream, status):
    server = backend(lambda asked: {})
    server.kill()
    response = shim(server.url, request_retries=0).post("/api/pull", json={"model": "m", "stream": stream})
    assert response.status_code == status
    records = json.loads(response.data.splitlines()[-1])
    assert records["error"].startswith("pull model manifest: LM Studio is not reachable")


@pytest.mark.parametrize("body", [{}, {"model": ""}, {"model": "bad name"}, {"model": "--foo"}, {"name": "a/b/c/d/e"}])
def test_pull_of_what_is_no_name_is_refused_at_once(studio, body):
    client, server = studio()
    response = client.post("/api/pull", json=body)
    assert (response.status_code, response.json) == (400, {"error": "invalid model name"})
    assert server.asked == []


def test_pull_of_a_cloud_model_is_refused(studio):
    client, _ = studio()
    assert client.post("/api/pull", json={"model": "gpt-oss:120b-cloud"}).status_code == 403


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("generation", ["v0", "openai"])
def test_pull_is_refused_where_lm_studio_cannot_and_no_tool_is_here(backend, shim, monkeypatch, stream, generation):
    monkeypatch.setattr("flask_shim.lmstudio.client.find_tool", lambda: None)
    server = backend(lambda asked: {}, [{"id": "m", "state": "not-loaded"}], generation)
    client = shim(server.url)
    response = client.post("/api/pull", json={"model": "maker/new", "stream": stream})
    assert response.status_code == 501
    assert "LM Studio 0.4 or later, or its lms tool on this machine" in response.json["error"]
    assert lines(client.post("/api/pull", json={"model": "m"}))[-1] == {"status": "success"}


def test_pulls_are_limited_and_take_no_slot(studio):
    client, _ = studio(models=[v1_model("m")])
    parts = services_of(client.application)
    held = [parts.pulls.take() for _ in range(parts.pulls.total)]
    response = client.post("/api/pull", json={"model": "m"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    held.pop().release()
    assert lines(client.post("/api/pull", json={"model": "m"}))[-1] == {"status": "success"}
    for one in held:
        one.release()
    assert (parts.pulls.in_use, parts.slots.in_use) == (0, 0)


def test_pull_ends_when_the_server_stops(studio):
    client, _ = studio(state("downloading"))
    services_of(client.application).slots.draining = True
    records = lines(client.post("/api/pull", json={"model": "maker/new"}))
    assert records == [MANIFEST, {"error": "server is shutting down, please try again later"}]


def test_unread_pull_releases_its_place(studio):
    client, _ = studio(state("downloading"))
    response = client.post("/api/pull", json={"model": "maker/new"}, buffered=False)
    parts = services_of(client.application)
    assert parts.pulls.in_use == 1
    response.close()
    assert parts.pulls.in_use == 0

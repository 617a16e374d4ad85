"""Aliases are made, copied and deleted; what LM Studio has no way for is refused with the reason."""

from __future__ import annotations

import json

import pytest

NO_BLOB = "sha256:" + "0" * 64


def test_a_made_name_is_listed_shown_and_kept_after_a_restart(shim, made, names):
    made(system="You are Rumpel.", parameters={"temperature": 0.5}, license="MIT")
    again = shim()
    assert names(again) == ["acme/large:latest", "rumpel:latest", "tiny:latest"]
    shown = again.post("/api/show", json={"model": "Rumpel"}).json
    assert (shown["system"], shown["license"], shown["details"]["parent_model"]) == (
        "You are Rumpel.",
        "MIT",
        "tiny:latest",
    )


def test_creating_an_alias_reports_its_layers(made):
    statuses = [line["status"] for line in made(system="You are Rumpel.")]
    assert [status.partition(" sha256:")[0] for status in statuses] == [
        "using existing layer",
        "creating new layer",
        "writing manifest",
        "success",
    ]


@pytest.mark.parametrize("stream", [True, None])
def test_creating_an_alias_streams_its_progress(client, stream):
    answer = client.post("/api/create", json={"model": "rumpel", "from": "tiny", "stream": stream})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.data.endswith(b'{"status":"success"}\n')


def test_creating_an_alias_unstreamed_returns_the_last_record(client):
    answer = client.post("/api/create", json={"model": "rumpel", "from": "tiny", "stream": False})
    assert (answer.status_code, answer.data) == (200, b'{"status":"success"}')
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("ask", "status", "text"),
    [
        ({"model": "mine"}, 400, "neither 'from' or 'files' was specified"),
        ({"model": "mine", "modelfile": "FROM tiny"}, 400, "neither 'from' or 'files' was specified"),
        ({"model": "mine", "files": {}}, 400, "unknown type"),
        ({"model": "bad name", "from": "tiny"}, 400, "invalid model name"),
        ({"model": " mine", "from": "tiny"}, 400, "invalid model name"),
        ({"model": "mine:cloud", "from": "tiny"}, 400, "invalid model name"),
        ({"from": "tiny"}, 400, "invalid model name"),
        ({"model": "mine", "from": "bad name"}, 400, "invalid model name"),
        ({"model": "mine", "files": {"a.gguf": ""}}, 400, "invalid digest format"),
        ({"model": "mine", "files": {"../a.gguf": NO_BLOB}}, 400, "file path must be relative"),
        ({"model": "mine", "files": {"/a.gguf": NO_BLOB}}, 400, "file path must be relative"),
        ({"model": "mine", "from": "tiny", "draft_files": {"/d.gguf": NO_BLOB}}, 400, "file path must be relative"),
        ({"model": "mine", "from": "tiny", "draft_files": {"d.gguf": ""}}, 400, "invalid digest format"),
        ({"model": "mine", "from": "tiny", "adapters": {"a.gguf": ""}}, 400, "invalid digest format"),
        ({"model": "mine", "from": "tiny", "draft_quantize": "q8_0"}, 400, "--draft-quantize requires a DRAFT model"),
        ({"model": "mine", "from": "gpt-oss:20b-cloud"}, 400, "gpt-oss:20b-cloud runs at ollama.com"),
        ({"model": "mine", "from": "tiny:cloud"}, 400, "tiny:cloud runs at ollama.com"),
        (
            {"model": "mine", "from": "tiny", "template": "{{ .Bad"},
            400,
            "template error: template: :1: unclosed action",
        ),
        ({"model": "mine", "from": "tiny", "license": 3}, 500, "json: cannot unmarshal number into Go value of type"),
        ({"model": "mine", "from": "nope"}, 500, "model 'nope' not found; pull it first"),
        ({"model": "mine", "files": {"a.gguf": NO_BLOB}}, 501, "LM Studio takes no model files over HTTP"),
        ({"model": "mine", "from": "tiny", "draft_files": {"a": NO_BLOB}}, 501, "LM Studio takes no model files"),
        ({"model": "mine", "from": "tiny", "remote_host": "https://ollama.com"}, 501, "LM Studio runs no models of"),
        ({"model": "mine", "from": "tiny", "adapters": {"a": NO_BLOB}}, 501, "LM Studio applies no adapters"),
        ({"model": "mine", "from": "tiny", "quantize": "q4_K_M"}, 501, "LM Studio does not quantize models"),
        ({"model": "mine", "from": "tiny", "template": "{{ range . }}"}, 501, "LM Studio applies the model's own"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_made_is_refused_with_the_reason(client, stream, ask, status, text, names):
    answer = client.post("/api/create", json={**ask, "stream": stream})
    assert answer.status_code == status
    assert answer.json["error"].startswith(text)
    assert "mine:latest" not in names()


def test_a_name_made_from_a_name_has_what_that_one_has(client, made):
    made(system="You are Rumpel.", parameters={"temperature": 0.5, "seed": 1})
    made(model="child", **{"from": "RUMPEL"}, parameters={"temperature": 1})
    client.delete("/api/delete", json={"model": "rumpel"})
    shown = client.post("/api/show", json={"model": "child"}).json
    assert shown["system"] == "You are Rumpel."
    assert shown["parameters"].split()[:4] == ["seed", "1", "temperature", "1"]
    assert shown["details"]["parent_model"] == "rumpel:latest"


def test_renderer_parser_and_requires_are_kept_and_inherited(client, made):
    made(renderer="qwen3", parser="qwen3-coder", requires="0.14.0")
    made(model="child", **{"from": "rumpel:local"}, parser="harmony")
    shown = client.post("/api/show", json={"model": "child"}).json
    assert shown["requires"] == "0.14.0"
    assert "\nRENDERER qwen3\nPARSER harmony\nREQUIRES 0.14.0\n" in shown["modelfile"]


def test_output_of_show_creates_the_same_alias(client, made):
    made(system="You are Rumpel.")
    template = client.post("/api/show", json={"model": "rumpel"}).json["template"]
    made(model="again", template=template)
    shown = client.post("/api/show", json={"model": "again"}).json
    assert (shown["template"], shown["capabilities"]) == (template, ["completion", "tools"])


@pytest.mark.parametrize("source", ["tiny", "TINY:latest", "rumpel"])
def test_a_copy_stands_beside_its_source(client, source, made, names):
    made()
    answer = client.post("/api/copy", json={"source": source, "destination": "Me/Copy"})
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert "Content-Type" not in answer.headers
    assert {"tiny:latest", "rumpel:latest", "Me/Copy:latest"} <= set(names())


@pytest.mark.parametrize("name", ["tiny", "TINY:latest", "library/tiny"])
def test_a_copy_onto_itself_changes_nothing(client, name, tmp_path):
    assert client.post("/api/copy", json={"source": "tiny", "destination": name}).status_code == 200
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["acme/large", "ACME/Large:latest", "large"])
@pytest.mark.parametrize("source", ["tiny", "rumpel"])
def test_no_name_is_taken_from_another_model_of_lm_studio(client, name, source, made, names):
    made()
    before = names()
    for path, ask in (
        ("/api/copy", {"source": source, "destination": name}),
        ("/api/create", {"model": name, "from": source}),
    ):
        answer = client.post(path, json=ask)
        assert answer.status_code == 400
        assert answer.json["error"] == f'"{name}" is LM Studio\'s name for acme/large: choose another name'
    assert names() == before


@pytest.mark.parametrize("source", ["tiny", "rumpel"])
def test_a_model_may_get_settings_under_its_own_name(client, source, made):
    made()
    made(model="tiny", **{"from": source}, parameters={"seed": 7})
    assert "seed" in client.post("/api/show", json={"model": "tiny"}).json["parameters"]


@pytest.mark.parametrize(
    ("ask", "status", "text"),
    [
        ({"source": "nope", "destination": "x"}, 404, 'model "nope" not found'),
        ({"source": "bad name", "destination": "x"}, 400, 'source "bad name" is invalid'),
        ({"source": " tiny", "destination": "x"}, 400, 'source " tiny" is invalid'),
        ({"source": "tiny", "destination": "bad name"}, 400, 'destination "bad name" is invalid'),
        ({"source": "tiny", "destination": "x:cloud"}, 400, 'destination "x:cloud" is invalid'),
        ({"source": "tiny"}, 400, 'destination "" is invalid'),
        ({}, 400, 'source "" is invalid'),
        (None, 400, "missing request body"),
    ],
)
def test_what_cannot_be_copied_is_refused_with_the_reason(client, ask, status, text):
    answer = client.post("/api/copy", data=b"" if ask is None else json.dumps(ask))
    assert (answer.status_code, answer.json) == (status, {"error": text})


@pytest.mark.parametrize("ask", [{"model": "rumpel"}, {"name": "Rumpel:latest"}, {"model": " rumpel:local "}])
def test_a_deleted_name_is_not_listed(client, ask, made, names):
    made()
    answer = client.delete("/api/delete", json=ask)
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert "Content-Type" not in answer.headers
    assert "rumpel:latest" not in names()
    assert client.delete("/api/delete", json=ask).status_code == 404


@pytest.mark.parametrize(
    ("ask", "status", "text"),
    [
        ({"model": "tiny"}, 501, "LM Studio's own files can only be deleted in LM Studio"),
        ({"model": "nope:1b"}, 404, "model 'nope:1b' not found"),
        ({"model": "rumpel:cloud"}, 404, "model 'rumpel:cloud' not found"),
        ({"model": "bad name"}, 400, 'name "bad name" is invalid'),
        ({}, 400, "model is required"),
        (None, 400, "missing request body"),
    ],
)
def test_what_cannot_be_deleted_is_refused_with_the_reason(client, ask, status, text, made, names):
    made()
    answer = client.delete("/api/delete", data=b"" if ask is None else json.dumps(ask))
    assert (answer.status_code, answer.json) == (status, {"error": text})
    assert "rumpel:latest" in names()


def test_a_name_can_be_deleted_while_the_backend_is_away(client, backend, made):
    made()
    backend.stop()
    assert client.delete("/api/delete", json={"model": "rumpel"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", f"/api/blobs/{NO_BLOB}", 501, "LM Studio takes no model files over HTTP"),
        ("POST", f"/api/blobs/{NO_BLOB.replace(':', '-')}", 501, "LM Studio takes no model files over HTTP"),
        ("POST", "/api/blobs/bogus", 400, "invalid digest format"),
        ("POST", f"/api/blobs/{NO_BLOB}0", 400, "invalid digest format"),
        ("POST", "/api/push", 501, "LM Studio has no registry"),
    ],
)
def test_files_and_pushes_are_refused_with_the_reason(client, method, path, status, text):
    answer = client.open(path, method=method, data=b'{"model": "tiny"}')
    assert answer.status_code == status
    assert answer.json["error"].startswith(text)


def test_a_push_needs_a_name(client):
    answer = client.post("/api/push", json={})
    assert (answer.status_code, answer.json) == (400, {"error": "model is required"})


@pytest.mark.parametrize(("digest", "status"), [(NO_BLOB, 404), ("bogus", 400)])
def test_no_blob_is_reported_as_present(client, digest, status):
    answer = client.head(f"/api/blobs/{digest}")
    assert (answer.status_code, answer.data) == (status, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"/api/blobs/{NO_BLOB}", "HEAD, POST"),
        ("POST", "/api/delete", "DELETE"),
        ("GET", "/api/copy", "POST"),
        ("HEAD", "/api/create", "POST"),
        ("DELETE", "/api/push", "POST"),
    ],
)
def test_other_methods_are_not_allowed(client, method, path, allowed):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/create"), ("POST", "/api/copy"), ("DELETE", "/api/delete")]
)
def test_a_server_that_is_read_only_changes_no_names(shim, method, path, made, names):
    made()
    ask = {"model": "rumpel", "from": "tiny", "source": "tiny", "destination": "x"}
    answer = shim(read_only=True).open(path, method=method, json=ask)
    assert answer.status_code == 403
    assert "read-only" in answer.json["error"]
    assert names() == ["acme/large:latest", "rumpel:latest", "tiny:latest"]


def test_a_name_that_cannot_be_saved_is_refused_and_the_rest_works(shim, tmp_path, names):
    (tmp_path / "file").touch()
    client = shim(data_dir=tmp_path / "file" / "data")
    answer = client.post("/api/create", json={"model": "rumpel", "from": "tiny"})
    assert answer.status_code == 507
    assert answer.json["error"].startswith("aliases cannot be saved: ")
    assert names(client) == ["acme/large:latest", "tiny:latest"]

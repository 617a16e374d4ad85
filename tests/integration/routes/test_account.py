"""The routes for an account at ollama.com, which does not exist here."""

from __future__ import annotations

import pytest


def test_the_cloud_is_reported_as_disabled(client):
    assert client.get("/api/status").json == {"cloud": {"disabled": True, "source": "config"}}


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/api/me", 401, "unauthorized"),
        ("POST", "/api/signout", 401, "you are not currently signed in"),
        ("DELETE", "/api/user/keys/c3NoLWVkMjU1MTk", 401, "you are not currently signed in"),
        ("DELETE", "/api/user/keys/a/b+c==", 401, "you are not currently signed in"),
        ("POST", "/api/experimental/web_search", 400, "missing request body"),
        ("POST", "/api/experimental/web_fetch", 400, "missing request body"),
    ],
)
def test_what_needs_an_account_is_rejected_with_ollamas_text(method, path, status, text, client, backend):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json) == (status, {"error": text})
    assert not backend.asked


@pytest.mark.parametrize("body", ["{}", '{"query": "x"}', "x", "{"])
@pytest.mark.parametrize("operation", ["web search", "web fetch"])
def test_the_web_is_not_searched_here(client, operation, body):
    answer = client.post(f"/api/experimental/{operation.replace(' ', '_')}", data=body)
    expected = {"error": f"ollama cloud is disabled: {operation} is unavailable"}
    assert (answer.status_code, answer.json) == (403, expected)


@pytest.mark.parametrize("body", [b" \n", b"\t"])
def test_a_blank_body_is_a_missing_one(client, body):
    answer = client.post("/api/experimental/web_search", data=body)
    assert (answer.status_code, answer.json) == (400, {"error": "missing request body"})


def test_the_models_that_are_there_are_recommended(client, models):
    models[:] = [
        {**models[0], "display_name": "Tiny", "params_string": "1B", "quantization": {"name": "Q4_K_M"}},
        {**models[1], "key": "acme/embed", "type": "embedding"},
    ]
    answer = client.get("/api/experimental/model-recommendations")
    assert answer.json == {
        "recommendations": [
            {"model": "tiny:latest", "description": "Tiny 1B Q4_K_M in LM Studio", "context_length": 4096}
        ]
    }

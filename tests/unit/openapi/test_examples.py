"""Every request of the description, sent as it stands to a shim before a real engine."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from openapi_schema_validator import OAS31Validator
from support.demo import Demo
from support.raw_http import exchange

PRESENT = {"chat": "tiny-chat", "vision": "tiny-vision", "embedding": "tiny-embed", "decision": "tiny-decide"}
"""What the page does with the names of the examples: it puts in models that are there."""

STREAMS = ("application/x-ndjson", "text/event-stream")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    defaults = {"default_regular_model": "tiny-chat", "default_vision_model": "tiny-vision"}
    with Demo(tmp_path_factory.mktemp("demo"), **defaults) as demo:
        yield demo


@pytest.fixture(scope="module")
def document(demo):
    text = exchange(demo.port, "GET", "/openapi.json").text
    for kind, name in json.loads(text)["x-example-models"].items():
        text = text.replace(json.dumps(name), json.dumps(PRESENT[kind]))
    return json.loads(text)


def requests_of(document):
    """Yield method, path, body, and the answers that are announced."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                yield method.upper(), path, example["value"], operation["responses"]
            if method == "get" and "{" not in path:
                yield "GET", path, None, operation["responses"]


def test_every_example_gets_an_answer_that_is_announced(demo, document):
    sent = 0
    for method, path, body, announced in requests_of(document):
        reply = exchange(demo.port, method, path, body)
        where = f"{method} {path} {body}: {reply.status} {reply.text[:300]}"
        assert str(reply.status) in announced, where
        content = announced[str(reply.status)].get("content", {})
        media = (reply.header("Content-Type") or "").partition(";")[0]
        assert not content or media in content or "*/*" in content, where
        for value in values_of(reply, media):
            schema = {**content[media]["schema"], "components": document["components"]}
            assert [fault.message for fault in OAS31Validator(schema).iter_errors(value)] == [], where
        sent += 1
    assert sent > 40


def values_of(reply, media):
    if media == "application/json":
        return [json.loads(reply.text)]
    return map(json.loads, reply.text.splitlines()) if media == "application/x-ndjson" else []


def test_picture_is_one_that_the_model_reads(demo):
    from flask_shim.openapi.examples import RED_SQUARE

    ask = {"model": "tiny-vision", "messages": [{"role": "user", "content": "?", "images": [RED_SQUARE]}]}
    assert exchange(demo.port, "POST", "/api/chat", {**ask, "stream": False}).status == 200

"""/v1 and LM Studio's own routes: answers byte for byte, names resolved, refusals avoided."""

from __future__ import annotations

import json
import re

import pytest

from flask_shim.lmstudio.api_versions import ApiVersion

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
URL = "http://lmstudio.test:1234"

ODD_STREAM = (
    b'data: {"id":"chatcmpl-x","choices":[{"index":0,"delta":{"role":"assistant","content":"H\xc3\xa9"}}]}\n\n'
    b": a comment\n\n"
    b'event: x\r\ndata:{"choices" : [ ]}\r\n\r\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\ndata: [DONE]\n\n'
)
ODD_OBJECT = b'{\n  "id" : "x", "choices": [], "n": 1.50, "text": "\\u00e9 \xc3\xa9" }\n'


def streamed(backend, body=ODD_STREAM, path=CHAT):
    backend.answers(body, paths=(path,), content_type="text/event-stream")


@pytest.fixture(params=[CHAT, "/v1/completions", "/api/v0/chat/completions", "/api/v1/chat"])
def path(request):
    return request.param


def body_for(path):
    """Return the least that each route takes."""
    more = {"/v1/completions": {"prompt": "x"}}
    return {"model": "plain-7b", **more.get(path, {"messages": HELLO})}


def test_an_object_passes_byte_for_byte(client, backend, path):
    backend.answers(ODD_OBJECT, paths=(path,))
    response = client.post(path, body_for(path))
    assert (response.status_code, response.data) == (200, ODD_OBJECT)
    assert response.content_type.startswith("application/json")


@pytest.mark.parametrize("body", [ODD_STREAM, ODD_STREAM.replace(b"\r", b"").replace(b"\n", b"\r")], ids=["LF", "CR"])
def test_a_stream_passes_byte_for_byte(client, backend, body):
    streamed(backend, body)
    response = client.post(CHAT, {**body_for(CHAT), "stream": True})
    assert (response.status_code, response.data) == (200, body)
    assert response.content_type.startswith("text/event-stream")
    assert response.headers["X-Accel-Buffering"] == "no"


ESCAPED = b'"content":"\\"prompt_tokens\\": 1, \\"completion_tokens\\": 2"'
OPENAI_USAGE = b'"usage":{"prompt_tokens":11,"completion_tokens" : 22,"total_tokens":33}'
COUNTS = {
    "an object": (CHAT, b'{"choices":[{"message":{%s}}],%s,"stats":{}}' % (ESCAPED, OPENAI_USAGE), "11 22"),
    "an object without": (CHAT, b'{"choices":[{"message":{%s}}]}' % ESCAPED, ""),
    "a stream": (CHAT, b'data: {"choices":[]}\n\ndata: {"choices":[],%s}\n\ndata: [DONE]\n\n' % OPENAI_USAGE, "11 22"),
    "a stream without": (CHAT, b'data: {"choices":[{"delta":{%s}}]}\n\ndata: [DONE]\n\n' % ESCAPED, ""),
    "a completion": ("/v1/completions", b'{"choices":[],%s}' % OPENAI_USAGE, "11 22"),
    "LM Studio 0.3": ("/api/v0/chat/completions", b'{"choices":[],%s}' % OPENAI_USAGE, "11 22"),
    "LM Studio 0.4": ("/api/v1/chat", b'{"output":[],"stats":{"input_tokens":11,"total_output_tokens":22}}', "11 22"),
    "a stream of LM Studio 0.4": (
        "/api/v1/chat",
        b'event: chat.end\ndata: {"result":{"stats":{"input_tokens":11,"total_output_tokens":22}}}\n\n',
        "11 22",
    ),
}


@pytest.mark.parametrize(("path", "body", "counts"), COUNTS.values(), ids=COUNTS.keys())
def test_log_has_the_token_counts_of_an_answer_that_passes(client, backend, caplog, path, body, counts):
    caplog.set_level("INFO", "flask_shim.observability.access_log")
    is_stream = body.startswith((b"data", b"event"))
    backend.answers(body, paths=(path,), content_type="text/event-stream" if is_stream else "application/json")
    with client.post(path, {**body_for(path), "stream": is_stream}) as response:
        assert response.data == body
    found = re.findall(r"tokens_(?:in|out)=(\d+)", caplog.text)
    assert " ".join(found) == counts


def test_a_suffix_is_written_into_the_prompt_of_a_model_that_fills_in(shim, backend):
    client = shim()
    backend.set_version(ApiVersion.OPENAI)
    backend.set_list({"data": [{"id": "qwen2.5-coder-7b"}]})
    client.post("/v1/completions", {"model": "qwen2.5-coder-7b", "prompt": "def f(", "suffix": "return x", "n": 1})
    assert backend.payload == {
        "model": "qwen2.5-coder-7b",
        "prompt": "<|fim_prefix|>def f(<|fim_suffix|>return x<|fim_middle|>",
        "n": 1,
    }


def test_a_suffix_is_refused_where_it_would_be_left_out(client, backend):
    response = client.post("/v1/completions", {"model": "plain-7b", "prompt": "a", "suffix": "b"})
    assert response.status_code == 400
    assert response.json["error"]["message"] == "registry.ollama.ai/library/plain-7b:latest does not support insert"
    assert backend.asked == []


@pytest.mark.parametrize("suffix", ["", None, 5])
def test_an_empty_suffix_changes_nothing(client, backend, suffix):
    client.post("/v1/completions", {"model": "plain-7b", "prompt": "a", "suffix": suffix})
    assert backend.payload["prompt"] == "a"


def test_headers_of_the_backend_stay_there(client, backend):
    headers = {"Set-Cookie": "a=b", "X-Powered-By": "Express", "Connection": "keep-alive", "Server": "x"}
    backend.answers(ODD_OBJECT, paths=(CHAT,), headers=headers)
    response = client.post(CHAT, body_for(CHAT))
    assert not {"Set-Cookie", "X-Powered-By", "Connection", "Server"} & set(response.headers.keys())


def test_a_body_that_needs_nothing_is_sent_byte_for_byte(client, backend):
    raw = b'{ "model":"plain-7b" ,"messages":[{"role":"user","content":"H\xc3\xa9"}],"odd":1.50}'
    client.post(CHAT, raw)
    assert backend.mock.calls[-1].request.body == raw


@pytest.mark.parametrize("name", ["plain-7b:latest", "PLAIN-7B", "library/plain-7b"])
def test_the_models_name_is_resolved(client, backend, name):
    client.post(CHAT, {"model": name, "messages": HELLO})
    assert backend.payload["model"] == "plain-7b"


@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_model_is_not_found_and_nothing_sent(client, backend, path, stream):
    response = client.post(path, {**body_for(path), "model": "nope", "stream": stream})
    assert response.status_code == 404
    assert "nope" in response.json["error"]["message"]
    assert backend.asked == []


def test_a_chat_is_adapted_before_it_is_sent(client, backend):
    body = {"messages": [{"role": "developer", "content": "x"}], "response_format": {"type": "json_object"}}
    client.post(CHAT, {**body_for(CHAT), **body})
    assert backend.payload["messages"] == [{"role": "system", "content": "x"}]
    assert backend.payload["response_format"]["type"] == "json_schema"


def test_the_only_tool_that_may_be_called_is_the_only_one_sent(client, backend):
    tools = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
    body = {"tools": tools, "tool_choice": {"type": "function", "function": {"name": "g"}}}
    client.post(CHAT, {**body_for(CHAT), **body})
    assert (backend.payload["tool_choice"], backend.payload["tools"]) == ("required", tools[1:])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/chat", {"integrations": ["mcp/playwright"]}),
        ("/v1/responses", {"tools": [{"type": "mcp", "server_url": "http://x"}]}),
        (CHAT, {"plugins": [{"id": "x"}]}),
    ],
)
def test_mcp_is_refused_unless_it_is_allowed(client, shim, backend, path, field):
    backend.answers(ODD_OBJECT, paths=(path,))
    body = {**body_for(path), **field}
    response = client.post(path, body)
    assert response.status_code == 403
    assert "SHIM_ALLOW_MCP" in response.json["error"]["message"]
    assert backend.asked == []
    assert shim(allow_mcp=True).post(path, body).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status", "expected_status"),
    [
        (400, {"error": "'messages' field is required"}, 400),
        (401, {"error": {"message": "Invalid token"}}, 502),
        (429, {"error": "slow"}, 503),
        (500, {"error": {"message": "odd"}}, 502),
        (200, {"error": "Unexpected endpoint or method. (POST /v1/chat/completions)"}, 404),
        (200, {"error": {"message": "odd"}}, 400),
        (502, b"<html></html>", 502),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_errors_have_a_true_status_and_openais_shape(client, backend, stream, sent, status, expected_status):
    backend.answers(status, status=sent, paths=(CHAT,))
    response = client.post(CHAT, {**body_for(CHAT), "stream": stream})
    assert response.status_code == expected_status
    assert set(response.json["error"]) == {"message", "type", "param", "code"}
    assert response.json["error"]["message"]


def test_an_object_with_a_null_error_is_no_error(client, backend):
    body = b'{"error":null,"id":"resp_1","object":"response","output":[]}'
    backend.answers(body, paths=("/api/v1/chat",))
    assert client.post("/api/v1/chat", body_for("/api/v1/chat")).data == body


def test_an_error_as_the_first_event_is_a_true_status(client, backend):
    streamed(backend, b'event: error\ndata: {"error":{"message":"The model has crashed"},"message":"x"}\n\n')
    response = client.post(CHAT, {**body_for(CHAT), "stream": True})
    assert (response.status_code, response.json["error"]["message"]) == (500, "The model has crashed")


def test_a_stream_that_is_cut_ends_with_one_error_event(client, backend):
    first = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    streamed(backend, first)
    response = client.post(CHAT, {**body_for(CHAT), "stream": True})
    assert response.data.startswith(first)
    [event] = response.data.removeprefix(first).strip().split(b"\n\n")
    error = json.loads(event.removeprefix(b"data: "))["error"]
    assert error["message"] == "connection lost: LM Studio closed it before its answer was complete"
    assert error["code"] == "server_error"


def test_lists_of_lm_studio_pass_through(client, backend):
    raw = b'{ "data":[ {"id":"x", "odd": 1.50} ] }'
    backend.mock.upsert("GET", f"{URL}/api/v0/models", body=raw, content_type="application/json")
    assert client.get("/api/v0/models").data == raw


def test_a_query_is_passed_on(client, backend):
    backend.mock.upsert("GET", f"{URL}/api/v1/models/download/status/1", json={"status": "x"})
    client.get("/api/v1/models/download/status/1?a=b%20c")
    assert backend.mock.calls[-1].request.url.endswith("?a=b%20c")


@pytest.mark.parametrize("generation", ApiVersion)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_route_the_backend_lacks_is_not_found(client, backend, generation, method):
    backend.set_version(generation)
    for verb in ("GET", "POST"):
        backend.mock.upsert(
            verb, f"{URL}/v1/unheard", json={"error": f"Unexpected endpoint or method. ({verb} /v1/unheard)"}
        )
    name = {ApiVersion.V1: "plain-7b", ApiVersion.V0: "qwen/qwen3-8b", ApiVersion.OPENAI: "qwen/qwen2.5-vl-7b"}[
        generation
    ]
    response = client.http.open("/v1/unheard", method=method, json={"model": name} if method == "POST" else None)
    assert response.status_code == 404
    assert "Unexpected endpoint" in response.json["error"]["message"]


@pytest.mark.parametrize("name", ["qwen/qwen3-8b", "qwen%2Fqwen3-8b", "qwen3-8b", "plain-7b:latest"])
def test_one_model_is_shown_under_the_requested_name(client, name):
    body = client.get(f"/v1/models/{name}").json
    assert (body["id"], body["object"]) == (name.replace("%2F", "/"), "model")
    assert type(body["created"]) is int


def test_an_unknown_model_is_not_shown(client):
    response = client.get("/v1/models/a/b")
    assert response.status_code == 404
    assert response.json["error"]["type"] == "not_found_error"


def test_the_clients_key_is_not_forwarded(client, backend):
    client.http.post(CHAT, json=body_for(CHAT), headers={"Authorization": "Bearer client-secret", "x-api-key": "k"})
    sent = backend.mock.calls[-1].request.headers
    assert "Authorization" not in sent
    assert "x-api-key" not in sent


def test_the_backends_token_comes_from_the_settings(shim, backend):
    client = shim(backend_token="ours")
    client.http.post(CHAT, json=body_for(CHAT), headers={"Authorization": "Bearer client-secret"})
    client.get("/api/tags")
    assert {call.request.headers["Authorization"] for call in backend.mock.calls} == {"Bearer ours"}

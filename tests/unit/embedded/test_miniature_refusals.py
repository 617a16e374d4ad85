"""How LM Studio says no: the exact bodies."""

import pytest

USER = {"role": "user", "content": "Hello"}
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
INVALID = "Invalid 'messages' in payload. Please check the structure of your 'messages' and try again"
BAD_ROLE = (
    "'messages' array must only contain objects with a 'role' field that is in "
    "[user, assistant, system, tool]. Got 'bot'"
)
EFFORTS = "none, minimal, low, medium, high, xhigh"


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, "'messages' field is required"),
        ({"messages": "Hello"}, INVALID),
        ({"messages": ["Hello"]}, INVALID),
        ({"messages": [{"role": "user"}]}, INVALID),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": []}]}, INVALID),
        (
            {"messages": [{"role": "bot", "content": ""}]},
            BAD_ROLE,
        ),
        (
            {"messages": [USER], "response_format": {"type": "json_object"}},
            "'response_format.type' must be 'json_schema' or 'text'",
        ),
        (
            {"messages": [USER], "tool_choice": {"type": "function"}},
            "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
        ),
        (
            {"messages": [USER | {"content": [PIXEL]}]},
            "Model does not support images. Please use a model that does.",
        ),
        (
            {"messages": [USER | {"content": [PIXEL | {"image_url": {"url": "https://example.org/a.png"}}]}]},
            "'url' field must be a base64 encoded image.",
        ),
        (
            {"messages": [USER | {"content": [PIXEL | {"image_url": {"url": "data:image/webp;base64,AAAA"}}]}]},
            "'url' field must be a base64 encoded image.",
        ),
        ({"messages": [USER], "reasoning_effort": "max"}, f"Invalid reasoning_effort. Supported values: {EFFORTS}"),
    ],
)
def test_chat_is_rejected_with_a_clear_text(api, payload, error):
    response = api.post("/v1/chat/completions", {"model": "tiny-chat", **payload})
    assert (response.status_code, response.json()) == (400, {"error": error})
    assert api.loaded() == []


def test_a_tool_without_an_object_schema_is_rejected(api):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}
    response = api.chat("Hello", tools=[tool])
    assert response.status_code == 400
    assert "Invalid discriminator value. Expected 'object'" in response.json()["error"]


def test_old_version_rejects_text_format_and_developer_role(start):
    api = start(generation="openai")
    assert api.chat("Hello", response_format={"type": "text"}).json() == {
        "error": "'response_format.type' must be 'json_schema'"
    }
    developer = {"messages": [{"role": "developer", "content": "x"}]}
    assert api.post("/v1/chat/completions", developer).json()["error"].endswith("Got 'developer'")


def test_developer_turn_is_taken_as_the_system_turn(api):
    messages = [{"role": "developer", "content": "You are Rumpel."}, {"role": "user", "content": "Who are you?"}]
    body = api.post("/v1/chat/completions", {"model": "tiny-chat", "messages": messages, "temperature": 0}).json()
    assert "Rumpel" in body["choices"][0]["message"]["content"]


def test_keys_lm_studio_does_not_know_are_ignored(api):
    body = api.chat("Hello", grammar='root ::= "x"', n_predict=1, preset="p", draft_model="d", num_ctx=1, n=3).json()
    assert [choice["message"]["content"] for choice in body["choices"]] == ["Hello! How can I help you today?"]


@pytest.mark.parametrize("prompt", [None, ["a", "b"], [1, 2]])
def test_completion_wants_one_text(api, prompt):
    assert api.post("/v1/completions", {"model": "tiny-chat", "prompt": prompt}).status_code == 400


@pytest.mark.parametrize("texts", [None, 7, [1, 2], [["a"]]])
def test_embeddings_want_texts(api, texts):
    response = api.post("/v1/embeddings", {"model": "tiny-embed", "input": texts})
    assert response.json() == {"error": "'input' field must be a string or an array of strings"}


def test_embeddings_of_a_chat_model_are_refused(api):
    response = api.post("/v1/embeddings", {"model": "tiny-chat", "input": "a"})
    assert response.status_code == 400
    assert response.json()["error"].startswith("No models loaded.")


def test_broken_json_is_refused(api):
    headers = {"Content-Type": "application/json"}
    response = api.session.post(f"{api.miniature.url}/v1/chat/completions", data=b"{", headers=headers)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Invalid JSON")


def test_body_without_its_type_is_not_read(api):
    response = api.session.post(f"{api.miniature.url}/v1/chat/completions", data=b'{"messages": []}')
    assert response.json() == {"error": "'messages' field is required"}


def test_too_long_a_prompt_is_rejected_with_the_engines_text(api):
    api.load("tiny-chat", context_length=256)
    response = api.chat("word " * 500)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Engine protocol predict request returned 400: {")
    assert "exceed_context_size_error" in response.json()["error"]


def test_too_long_a_prompt_ends_a_stream_with_an_error_event(api):
    api.load("tiny-chat", context_length=256)
    response = api.chat("word " * 500, stream=True)
    assert response.status_code == 200
    assert response.text.startswith("event: error\ndata: {")
    assert "[DONE]" not in response.text


def test_too_long_a_prompt_has_its_old_text_in_an_old_generation(start):
    api = start(generation="v0", context_length=256)
    assert "when context the overflows" in api.chat("word " * 500).json()["error"]


def test_download_is_refused(api):
    response = api.post("/api/v1/models/download", {"model": "acme/other"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_status_of_an_unknown_job_is_refused(api):
    response = api.get("/api/v1/models/download/status/job_nope")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "job_not_found")

"""What the miniature lists, in three generations of the API."""

import pytest

KEYS = ["tiny-chat", "tiny-decide", "tiny-embed", "tiny-think", "tiny-vision"]


def by_id(response, items, name):
    return {item[name]: item for item in response.json()[items]}


def test_v1_list_has_all_facts_about_a_model(api):
    models = by_id(api.get("/api/v1/models"), "models", "key")
    assert list(models) == KEYS
    chat = models["tiny-chat"]
    assert chat["type"] == "llm"
    assert chat["quantization"] == {"name": "F16", "bits_per_weight": 16}
    assert chat["size_bytes"] == 1376000
    assert chat["params_string"] == "676K"
    assert chat["max_context_length"] == 8192
    assert chat["loaded_instances"] == []
    assert chat["capabilities"] == {"vision": False, "trained_for_tool_use": True}


def test_v1_list_shows_thinking_and_vision(api):
    models = by_id(api.get("/api/v1/models"), "models", "key")
    assert models["tiny-think"]["capabilities"]["reasoning"] == {"allowed_options": ["off", "on"], "default": "on"}
    assert models["tiny-vision"]["capabilities"]["vision"] is True


def test_v1_list_has_few_facts_about_an_embedding_model(api):
    api.load("tiny-embed")
    embed = by_id(api.get("/api/v1/models"), "models", "key")["tiny-embed"]
    assert embed["type"] == "embedding"
    assert "capabilities" not in embed
    assert embed["loaded_instances"] == [{"id": "tiny-embed", "config": {"context_length": 512}}]


def test_v1_list_shows_the_config_of_each_loaded_copy(api):
    api.load("tiny-chat", context_length=2048)
    (instance,) = by_id(api.get("/api/v1/models"), "models", "key")["tiny-chat"]["loaded_instances"]
    assert instance["id"] == "tiny-chat"
    assert instance["config"]["context_length"] == 2048
    assert instance["config"]["parallel"] == 4


def test_v0_list_has_type_and_state(api):
    api.load("tiny-chat", context_length=1024)
    models = by_id(api.get("/api/v0/models"), "data", "id")
    assert {key: model["type"] for key, model in models.items()} == {
        "tiny-chat": "llm",
        "tiny-decide": "decision",
        "tiny-embed": "embeddings",
        "tiny-think": "llm",
        "tiny-vision": "vlm",
    }
    assert models["tiny-chat"]["state"] == "loaded"
    assert models["tiny-chat"]["loaded_context_length"] == 1024
    assert models["tiny-chat"]["capabilities"] == ["tool_use"]
    assert models["tiny-think"]["state"] == "not-loaded"
    assert "loaded_context_length" not in models["tiny-think"]
    assert "capabilities" not in models["tiny-embed"]


def test_openai_list_has_names_only(api):
    models = by_id(api.get("/v1/models"), "data", "id")
    assert list(models) == KEYS
    assert models["tiny-chat"] == {"id": "tiny-chat", "object": "model", "owned_by": "organization_owner"}


def test_openai_list_shows_further_copies_under_their_own_id(api):
    api.load("tiny-chat")
    api.load("tiny-chat")
    assert "tiny-chat:2" in by_id(api.get("/v1/models"), "data", "id")


@pytest.mark.parametrize("path", ["/v1/models/tiny-chat", "/api/v0/models/tiny-chat"])
def test_single_model_is_shown_under_its_id(api, path):
    assert api.get(path).json()["id"] == "tiny-chat"


@pytest.mark.parametrize(("path", "status"), [("/v1/models/nope", 400), ("/api/v0/models/no/pe", 404)])
def test_single_model_is_refused_when_unknown(api, path, status):
    response = api.get(path)
    assert response.status_code == status
    assert response.json()["error"]["code"] == "model_not_found"


def test_greeting_names_lm_studio(api):
    assert api.get("/lmstudio-greeting").json() == {"lmstudio": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/api/chat"),
        ("DELETE", "/v1/models"),
        ("OPTIONS", "/v1/completions"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/messages/count_tokens?beta=true"),
    ],
)
def test_unknown_endpoint_is_answered_with_200_and_an_error(api, method, path):
    response = api.session.request(method, api.miniature.url + path)
    assert response.status_code == 200
    assert response.json() == {"error": f"Unexpected endpoint or method. ({method} {path})"}


@pytest.mark.parametrize(
    ("generation", "shown", "hidden"),
    [
        ("v0", ["/api/v0/models", "/v1/models"], ["/api/v1/models", "/v1/responses", "/v1/messages"]),
        ("openai", ["/v1/models"], ["/api/v0/models", "/api/v1/models", "/v1/responses", "/v1/messages"]),
    ],
)
def test_old_generation_hides_what_came_later(start, generation, shown, hidden):
    api = start(generation=generation)
    assert all("data" in api.get(path).json() for path in shown)
    assert all(api.get(path).json()["error"].startswith("Unexpected endpoint") for path in hidden)

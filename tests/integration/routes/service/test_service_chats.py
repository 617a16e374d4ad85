"""The service's chats: which model is asked, what it is sent, what is refused before."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

REGULAR, VISION = "qwen/qwen3-4b-2507", "qwen3-vl-4b-instruct"
CHAT = "/v1/chat/completions"
TURNS = [{"role": "user", "content": "Hi"}]

PATHS = {"/chat": REGULAR, "/chat/regular": REGULAR, "/chat/vision": VISION}
ALL_PATHS = [*PATHS, *(f"{path}/stream" for path in PATHS)]


def picture(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(buffer, kind)
    return buffer.getvalue()


def with_image(data, mime):
    text = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    image = {"data_base64": text, "mime_type": mime}
    return {"messages": [{"role": "user", "content": "What is this?", "images": [image]}]}


def ask(client, path="/chat/regular", **more):
    return client.post(path, json={"messages": TURNS, **more}, buffered=True)


# --- which model ---


@pytest.mark.parametrize("path", ALL_PATHS)
def test_chat_uses_its_default_model(client, backend, path):
    ask(client, path)
    assert backend.posted(CHAT)[0]["model"] == PATHS[path.removesuffix("/stream")]


@pytest.mark.parametrize("stream", ["", "/stream"])
def test_default_models_are_settings(shim, backend, stream):
    client = shim(default_regular_model="other:latest", default_vision_model="other")
    for path in PATHS:
        ask(client, path + stream)
    assert [body["model"] for body in backend.posted(CHAT)] == ["other"] * 3


@pytest.mark.parametrize(
    ("path", "key"),
    [("/chat", "other"), ("/chat/stream", "other"), ("/chat/regular", REGULAR), ("/chat/vision", VISION)],
)
def test_only_the_general_chat_accepts_another_model(client, backend, path, key):
    ask(client, path, model_key="other")
    assert backend.posted(CHAT)[0]["model"] == key


@pytest.mark.parametrize("key", [None, ""])
def test_model_key_may_be_left_empty(client, backend, key):
    ask(client, "/chat", model_key=key)
    assert backend.posted(CHAT)[0]["model"] == REGULAR


def test_missing_model_is_not_requested(client, backend):
    answer = ask(client, "/chat", model_key="my-custom-model")
    assert (answer.status_code, answer.json) == (404, {"detail": "Model not found: my-custom-model"})
    assert backend.posted(CHAT) == []


def test_embedding_model_does_not_chat(client, backend):
    backend.kinds["other"] = "embedding"
    answer = ask(client, "/chat", model_key="other")
    assert (answer.status_code, answer.json) == (400, {"detail": '"other" does not support chat'})


# --- what is sent ---


def test_settings_are_sent_by_lm_studios_names(client, backend):
    config = {"temperature": 0, "maxTokens": 5, "topP": 0.9, "presencePenalty": -2, "frequencyPenalty": 2.0}
    ask(client, config=config)
    assert backend.posted(CHAT) == [
        {
            "model": REGULAR,
            "messages": TURNS,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
            "max_tokens": 5,
            "top_p": 0.9,
            "presence_penalty": -2.0,
            "frequency_penalty": 2.0,
        }
    ]


@pytest.mark.parametrize("config", [None, {}, {"temperature": None}, {"unheard_of": 1}])
def test_settings_that_are_not_given_are_left_to_lm_studio(client, backend, config):
    ask(client, config=config)
    assert set(backend.posted(CHAT)[0]) == {"model", "messages", "stream", "stream_options"}


def test_model_stays_for_the_default_time(shim, backend):
    ask(shim(default_ttl=60.0))
    assert backend.posted(CHAT)[0]["ttl"] == 60


@pytest.mark.parametrize(
    ("name", "values", "lowest", "highest"),
    [
        ("temperature", (-0.1, 2.1), 0, 2),
        ("topP", (-0.1, 1.1), 0, 1),
        ("presencePenalty", (-2.1, 2.1), -2, 2),
        ("frequencyPenalty", (-2.1, 2.1), -2, 2),
    ],
)
def test_settings_have_ranges(client, backend, name, values, lowest, highest):
    for value in values:
        answer = ask(client, config={name: value})
        assert (answer.status_code, answer.json["detail"]) == (
            422,
            f"config.{name}: Must be greater than or equal to {lowest} and less than or equal to {highest}.",
        )
    assert all(ask(client, config={name: value}).status_code == 200 for value in (lowest, highest))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "messages: Missing data for required field."),
        ({"messages": []}, "messages: Shorter than minimum length 1."),
        ({"messages": ["Hi"]}, "messages.0._schema: Invalid input type."),
        ({"messages": [{"content": "Hi"}]}, "messages.0.role: Missing data for required field."),
        (
            {"messages": [{"role": "tool", "content": "Hi"}]},
            "messages.0.role: Must be one of: system, user, assistant.",
        ),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content: Not a valid string."),
        ({"messages": TURNS, "config": {"maxTokens": 0}}, "config.maxTokens: Must be greater than or equal to 1."),
        ({"messages": TURNS, "config": {"maxTokens": 1.5}}, "config.maxTokens: Not a valid integer."),
        ({"messages": TURNS, "config": {"temperature": "hot"}}, "config.temperature: Not a valid number."),
        ({"messages": TURNS, "config": {"topP": True}}, "config.topP: Not a valid number."),
        (b"not JSON", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
    ],
)
def test_invalid_body_names_the_wrong_field(client, backend, body, detail):
    for path in ALL_PATHS:
        answer = client.post(path, data=body if isinstance(body, bytes) else json.dumps(body))
        assert (answer.status_code, answer.json) == (422, {"detail": detail})
    assert backend.posted(CHAT) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_texts_of_every_powershell_arrive(client, backend, encoding):
    body = json.dumps({"messages": [{"role": "user", "content": "Grüße"}]}, ensure_ascii=False, indent=4)
    client.post("/chat/regular", data=body.replace("\n", "\r\n").encode(encoding))
    assert backend.posted(CHAT)[0]["messages"][0]["content"] == "Grüße"


# --- images ---


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_image_is_sent_as_it_came(client, backend, kind, mime):
    data = picture(kind)
    client.post("/chat/vision", json=with_image(data, mime))
    assert backend.posted(CHAT)[0]["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{base64.b64encode(data).decode()}"}},
    ]


def test_webp_becomes_what_every_lm_studio_reads(client, backend):
    answer = client.post("/chat/vision", json=with_image(picture("WEBP"), "image/webp"))
    assert answer.status_code == 200
    url = backend.posted(CHAT)[0]["messages"][0]["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("data", "mime", "status", "detail"),
    [
        (picture("GIF"), "image/gif", 422, "mime_type must be one of image/jpeg, image/png, image/webp."),
        ("<BASE64_ENCODED_IMAGE>", "image/jpeg", 422, "data_base64 is not base64."),
        (None, "image/jpeg", 422, "Must be an object with data_base64 and mime_type."),
        (b"no picture", "image/png", 400, "an image is in no format that can be read"),
    ],
)
def test_image_that_is_none_is_refused(client, backend, data, mime, status, detail):
    answer = client.post("/chat/vision", json=with_image(data, mime))
    assert (answer.status_code, detail in answer.json["detail"]) == (status, True)
    assert backend.posted(CHAT) == []

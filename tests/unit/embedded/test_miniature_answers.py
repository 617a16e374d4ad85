"""What the real engine answers through the miniature."""

import base64
import io
import json
import math

import pytest
from PIL import Image

SKY = "The sky is blue because air scatters blue light more than red light."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def events(response):
    lines = [line for line in response.text.split("\n\n") if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def picture(color, form="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (56, 56), color).save(file, form)
    url = f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
    return [
        {"type": "text", "text": "What colour is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]


@pytest.fixture
def api(kept_miniature, connect):
    return connect(kept_miniature)


def test_every_known_question_gets_its_answer(api, known_answers):
    got = {prompt: api.chat(prompt).json()["choices"][0]["message"]["content"] for prompt in known_answers}
    assert got == known_answers


def test_stream_arrives_token_by_token(api):
    response = api.chat("Why is the sky blue?", stream=True)
    assert response.headers["Content-Type"] == "text/event-stream"
    deltas = [event["choices"][0]["delta"].get("content") or "" for event in events(response)]
    assert "".join(deltas) == SKY
    assert len([delta for delta in deltas if delta]) > 10


def test_stream_ends_with_usage_on_request(api):
    *_, finish, usage = events(api.chat("Hello", stream=True, stream_options={"include_usage": True}))
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] > 5


def test_stream_has_no_usage_by_default(api):
    assert all(event["choices"] for event in events(api.chat("Hello", stream=True)))


def test_thinking_is_separate_from_the_answer(api):
    message = api.chat("Hello", model="tiny-think").json()["choices"][0]["message"]
    assert message["reasoning_content"].startswith("The user wants an answer.")
    assert message["content"] == "Hello! How can I help you today?"


def test_thinking_is_off_with_effort_none(api):
    message = api.chat("Hello", model="tiny-think", reasoning_effort="none").json()["choices"][0]["message"]
    assert "reasoning_content" not in message
    assert message["content"] == "Hello! How can I help you today?"


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
def test_every_known_effort_is_taken(api, effort):
    assert api.chat("Hello", reasoning_effort=effort).status_code == 200


def test_thinking_stays_on_in_an_old_generation(start):
    message = start(generation="v0").chat("Hello", model="tiny-think", reasoning_effort="none").json()
    assert message["choices"][0]["message"]["reasoning_content"]


def test_tool_is_called_and_its_result_is_read(api):
    asked = [{"role": "user", "content": "What is the weather in Oslo?"}]
    first = api.post("/v1/chat/completions", {"model": "tiny-chat", "messages": asked, "tools": [WEATHER]}).json()
    (call,) = first["choices"][0]["message"]["tool_calls"]
    assert first["choices"][0]["finish_reason"] == "tool_calls"
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "Oslo"})
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"temperature": 17, "sky": "rainy"}'}
    asked += [first["choices"][0]["message"], result]
    second = api.post("/v1/chat/completions", {"model": "tiny-chat", "messages": asked, "tools": [WEATHER]}).json()
    assert second["choices"][0]["message"]["content"] == "It is 17 degrees and rainy in Oslo."


@pytest.mark.parametrize(("color", "form"), [("red", "PNG"), ("yellow", "PNG"), ("blue", "JPEG")])
def test_picture_reaches_the_model(api, color, form):
    answer = api.chat(picture(color, form), model="tiny-vision").json()["choices"][0]["message"]["content"]
    assert color in answer


def test_schema_shapes_the_answer(api):
    schema = {"type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}}, "required": ["kind"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "pet", "strict": "true", "schema": schema}}
    answer = json.loads(api.chat("Hello", response_format=wanted).json()["choices"][0]["message"]["content"])
    assert answer["kind"] in ("cat", "dog")


def test_completion_continues_without_a_template(api):
    payload = {"model": "tiny-chat", "prompt": "The capital of Italy is", "temperature": 0}
    assert api.post("/v1/completions", payload).json()["choices"][0]["text"] == " Rome."


@pytest.mark.parametrize("length", [-1, None])
def test_unlimited_length_ends_by_itself(api, length):
    assert api.chat("Hello", max_tokens=length).json()["choices"][0]["finish_reason"] == "stop"


def test_length_limit_is_kept(api):
    answer = api.chat("Tell me a long story.", max_tokens=7).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 7


def test_embeddings_are_near_for_shared_words(api):
    texts = ["the red apple", "a red apple", "music table"]
    body = api.post("/v1/embeddings", {"model": "tiny-embed", "input": texts, "encoding_format": "base64"}).json()
    one, near, far = (item["embedding"] for item in body["data"])
    assert len(one) == 64
    assert math.dist(one, near) < math.dist(one, far)
    assert body["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


def test_embedding_input_that_is_too_long_is_cut(api):
    response = api.post("/v1/embeddings", {"model": "tiny-embed", "input": ["apple " * 2000, "b"]})
    assert response.status_code == 200
    assert len(response.json()["data"]) == 2


def test_v0_whole_answer_carries_measurements(api):
    body = api.chat("Hello", path="/api/v0/chat/completions").json()
    assert body["choices"][0]["message"]["content"] == "Hello! How can I help you today?"
    assert body["stats"]["stop_reason"] == "eosFound"
    assert body["stats"]["tokens_per_second"] > 0
    assert body["model_info"] == {"arch": "llama", "quant": "F16", "format": "gguf", "context_length": 4096}
    assert body["runtime"]["supported_formats"] == ["gguf"]


def test_v0_stream_carries_no_measurements(api):
    received = events(api.chat("Hello", path="/api/v0/chat/completions", stream=True))
    assert not any("stats" in event for event in received)


def test_responses_route_answers(api):
    body = api.post("/v1/responses", {"model": "tiny-chat", "input": "Why is the sky blue?", "temperature": 0}).json()
    assert body["output"][-1]["content"][0]["text"] == SKY


def test_messages_route_answers(api):
    payload = {
        "model": "tiny-chat",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    }
    assert api.post("/v1/messages", payload).json()["content"][0]["text"] == SKY

"""A name of the user's own works wherever a model's name does, and brings its settings along."""

from __future__ import annotations

import pytest
from support.answers import model

from flask_shim.models import alias_store

ASKED = {"role": "user", "content": "Who are you?"}
SYSTEM = {"role": "system", "content": "You are Rumpel."}
BEFORE = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi!"}]


@pytest.fixture
def sent(client, backend):
    """Return a function that sends a request and gives what the backend was then asked, by its path."""

    def send(path, **ask):
        answer = client.post(path, json={"model": "rumpel", **ask})
        assert answer.status_code == 200, answer.text
        assert b'"error"' not in answer.data
        asked = [one for one in backend.asked if one.method == "POST"][-1]
        return asked.path, asked.json

    return send


@pytest.fixture
def rumpel(made):
    made(system="You are Rumpel.", parameters={"temperature": 0.5, "stop": ["x"], "num_predict": 9}, messages=BEFORE)


@pytest.mark.parametrize(
    ("path", "ask", "asked", "messages"),
    [
        ("/api/chat", {"messages": [ASKED]}, "/v1/chat/completions", [SYSTEM, *BEFORE, ASKED]),
        (
            "/api/chat",
            {"messages": [{"role": "system", "content": "own"}, ASKED]},
            "/v1/chat/completions",
            [*BEFORE, {"role": "system", "content": "own"}, ASKED],
        ),
        ("/api/generate", {"prompt": "Who are you?"}, "/v1/chat/completions", [SYSTEM, *BEFORE, ASKED]),
        (
            "/api/generate",
            {"prompt": "Who are you?", "system": "own"},
            "/v1/chat/completions",
            [{"role": "system", "content": "own"}, *BEFORE, ASKED],
        ),
        ("/v1/chat/completions", {"messages": [ASKED]}, "/v1/chat/completions", [SYSTEM, *BEFORE, ASKED]),
        (
            "/v1/messages",
            {"messages": [ASKED], "max_tokens": 1},
            "/v1/chat/completions",
            [SYSTEM, *BEFORE, ASKED],
        ),
    ],
)
def test_the_turns_of_an_alias_go_before_those_of_a_request(sent, rumpel, path, ask, asked, messages):
    reached, payload = sent(path, **ask)
    assert (reached, payload["model"], payload["messages"]) == (asked, "tiny", messages)


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
@pytest.mark.parametrize(
    ("options", "temperature", "stop", "limit"),
    [
        ({}, 0.5, ["x"], 9),
        ({"temperature": 0, "stop": ["y"], "num_predict": 3}, 0, ["y"], 3),
        ({"temperature": None}, 0.5, ["x"], 9),
    ],
)
def test_options_win_over_parameters(sent, rumpel, path, options, temperature, stop, limit):
    _, payload = sent(path, messages=[ASKED], prompt="hi", options=options)
    assert (payload["temperature"], payload["stop"], payload["max_tokens"]) == (temperature, stop, limit)


def test_parameters_win_over_the_servers_defaults(shim, made, backend):
    made(system="You are Rumpel.", parameters={"temperature": 0.5})
    client = shim(default_temperature=0.8, default_system_prompt="Be nice.", default_stop=("z",))
    assert client.post("/api/chat", json={"model": "rumpel", "messages": [ASKED]}).data
    payload = backend.asked_for("/v1/chat/completions")[-1].json
    assert (payload["temperature"], payload["stop"], payload["messages"]) == (0.5, ["z"], [SYSTEM, ASKED])


def test_parameters_of_the_wrong_type_fail_when_they_are_used(client, made):
    made(parameters={"stop": "x"})
    answer = client.post("/api/chat", json={"model": "rumpel", "messages": [ASKED]})
    assert (answer.status_code, answer.json["error"]) == (500, 'option "stop" must be of type array')


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [
        ("/v1/completions", {"prompt": "hi"}, {"temperature": 0.5, "stop": ["x"], "max_tokens": 9, "prompt": "hi"}),
        ("/v1/responses", {"input": "hi", "store": True}, {"temperature": 0.5, "instructions": "You are Rumpel."}),
        ("/api/v1/chat", {"input": "hi"}, {"system_prompt": "You are Rumpel.", "max_output_tokens": 9}),
        ("/v1/embeddings", {"input": "hi"}, {"input": "hi"}),
    ],
)
def test_forwarded_requests_get_the_fields_of_their_route(client, backend, rumpel, path, asked, expected):
    assert client.post(path, json={"model": "rumpel", **asked}).data
    payload = backend.asked_for(path)[-1].json
    assert payload["model"] == "tiny"
    assert expected.items() <= payload.items()


def test_a_context_continues_without_repeating_the_aliass_turns(client, backend, rumpel):
    first = client.post("/api/generate", json={"model": "rumpel", "prompt": "one", "stream": False}).json
    more = {"model": "rumpel", "prompt": "two", "context": first["context"], "stream": False}
    assert client.post("/api/generate", json=more).json["response"] == "Hello"
    said = [turn["content"] for turn in backend.asked_for("/v1/chat/completions")[-1].json["messages"]]
    assert said == ["You are Rumpel.", "Hi", "Hi!", "one", "Hello", "two"]


def test_a_raw_prompt_is_sent_as_it_is(sent, made):
    made(system="You are Rumpel.", template="[{{ .Prompt }}]", parameters={"seed": 3})
    reached, payload = sent("/api/generate", prompt="hi", raw=True)
    assert (reached, payload["prompt"], payload["seed"]) == ("/v1/completions", "hi", 3)


@pytest.mark.parametrize(
    ("path", "ask"), [("/api/chat", {"messages": [ASKED]}), ("/api/generate", {"prompt": "Who are you?"})]
)
def test_a_template_is_filled_in(sent, made, path, ask):
    made(system="You are Rumpel.", template="<{{ .System }}>{{ .Prompt }}:")
    reached, payload = sent(path, **ask)
    assert (reached, payload["prompt"]) == ("/v1/completions", "<You are Rumpel.>Who are you?:")


def test_a_template_leaves_no_place_for_tools(client, made):
    made(template="{{ .Prompt }}")
    tools = [{"type": "function", "function": {"name": "look"}}]
    answer = client.post("/api/chat", json={"model": "rumpel", "messages": [ASKED], "tools": tools})
    assert answer.status_code == 400
    assert answer.json["error"] == "registry.ollama.ai/library/rumpel:latest does not support tools"


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("/api/chat", {}),
        ("/api/generate", {}),
        ("/api/chat", {"messages": [ASKED]}),
        ("/v1/chat/completions", {"messages": [ASKED]}),
        ("/v1/completions", {"prompt": "hi"}),
        ("/api/v1/models/load", {}),
    ],
)
def test_the_model_is_loaded_with_the_context_of_the_alias(client, backend, made, path, ask):
    made(**{"from": "acme/large"}, parameters={"num_ctx": 2048})
    assert client.post(path, json={"model": "rumpel", **ask}).data
    assert backend.asked_for("/api/v1/models/load")[0].json["context_length"] == 2048
    assert backend.asked_for("/api/v1/models/load")[0].json["model"] == "acme/large"


def test_an_answer_names_the_alias_as_requested(client, rumpel):
    answer = client.post("/api/chat", json={"model": "RUMPEL", "messages": [ASKED], "stream": False}).json
    assert (answer["model"], answer["message"]["content"]) == ("RUMPEL", "Hello")


def test_a_loaded_model_is_listed_under_its_own_name_only(client, rumpel):
    assert [entry["name"] for entry in client.get("/api/ps").json["models"]] == ["tiny:latest"]


def test_openai_list_is_that_of_lm_studio_with_dates(client):
    (model,) = client.get("/v1/models").json["data"]
    assert model["id"] == "tiny"
    assert model["created"] > 1_700_000_000


def test_the_openai_list_ends_with_the_aliases(client, made):
    made()
    made(model="tiny", system="You hide.")
    first, second = client.get("/v1/models").json["data"]
    assert first["id"] == "tiny"
    assert {**second, "created": 0} == {"id": "rumpel:latest", "object": "model", "created": 0, "owned_by": "library"}
    assert {**client.get("/v1/models/rumpel").json, "id": "rumpel:latest"} == second


def test_an_alias_hides_a_later_model_of_its_name_until_deleted(client, models, names, sent):
    client.post("/api/copy", json={"source": "acme/large", "destination": "late"})
    models.append(model("late"))
    assert names() == ["acme/large:latest", "late:latest", "tiny:latest"]
    assert sent("/api/chat", model="late", messages=[ASKED])[1]["model"] == "acme/large"
    assert client.delete("/api/delete", json={"model": "late"}).status_code == 200
    assert sent("/api/chat", model="late", messages=[ASKED])[1]["model"] == "late"
    assert client.delete("/api/delete", json={"model": "late"}).status_code == 501


def test_an_alias_without_its_model_is_unlisted_and_names_it(client, models, names, made):
    made(**{"from": "acme/large"})
    gone = models.pop()
    assert names() == ["tiny:latest"]
    for path in ("/api/show", "/api/chat", "/v1/chat/completions"):
        answer = client.post(path, json={"model": "rumpel", "messages": [ASKED]})
        assert answer.status_code == 404
        assert "model 'rumpel' not found: it was made from 'acme/large'" in answer.text
    models.append(gone)
    assert names() == ["acme/large:latest", "rumpel:latest", "tiny:latest"]


def test_an_alias_without_its_model_still_hides_its_namesake(client, models):
    client.post("/api/copy", json={"source": "acme/large", "destination": "late"})
    models[1:] = [model("late")]
    assert client.post("/api/chat", json={"model": "late", "messages": [ASKED]}).status_code == 404


def test_an_alias_of_a_variant_requests_that_variant(client, models, sent):
    models[0]["variants"] = ["tiny@q4_k_m", "tiny@q8_0"]
    assert client.post("/api/copy", json={"source": "tiny:q8_0", "destination": "sharp"}).status_code == 200
    assert sent("/api/chat", model="sharp", messages=[ASKED])[1]["model"] == "tiny@q8_0"


def test_an_alias_made_by_another_process_works_at_once(client, shim, sent, monkeypatch):
    monkeypatch.setattr(alias_store, "RECENT_SECONDS", 60.0)
    other = shim()
    assert client.post("/api/show", json={"model": "rumpel"}).status_code == 404
    other.post("/api/copy", json={"source": "tiny", "destination": "rumpel"})
    assert sent("/api/chat", messages=[ASKED])[1]["model"] == "tiny"

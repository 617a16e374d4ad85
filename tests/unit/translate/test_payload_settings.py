"""What an alias, a profile or a rule sets is written where the route has its place."""

from __future__ import annotations

import pytest

from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.alias_defaults import payload_with_alias_turns
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.payload_settings import payload_with_settings, settings_of_payload
from flask_shim.translate.request_settings import RequestSettings, with_defaults

MODEL = Model(key="tiny")


def inherited_payload(path, payload, entry):
    payload = payload_with_alias_turns(path, payload, entry)
    given = settings_of_payload(path, payload)
    return payload_with_settings(path, payload, given, with_defaults(given, entry), entry.model)


def changed_payload(path, payload, **wanted):
    return payload_with_settings(path, payload, settings_of_payload(path, payload), RequestSettings(**wanted), MODEL)


EVERYTHING = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.1,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.2,
    "frequency_penalty": 0.3,
    "num_predict": 9,
    "seed": 7,
    "stop": ["x"],
    "num_ctx": 2048,
    "num_gpu": 1,
    "mirostat": 2,
}
OPENAI = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.1,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.2,
    "frequency_penalty": 0.3,
    "max_tokens": 9,
    "seed": 7,
    "stop": ["x"],
}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/chat/completions", OPENAI),
        ("/v1/completions", OPENAI),
        ("/api/v0/completions", OPENAI),
        ("/v1/responses", {"temperature": 0.5, "top_p": 0.9, "max_output_tokens": 9, "instructions": "S"}),
        ("/v1/messages", {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop_sequences": ["x"], "system": "S"}),
        (
            "/api/v1/chat",
            {
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 40,
                "min_p": 0.1,
                "repeat_penalty": 1.1,
                "max_output_tokens": 9,
                "context_length": 2048,
                "system_prompt": "S",
            },
        ),
        ("/api/v1/models/load", {"context_length": 2048}),
        ("/v1/embeddings", {}),
    ],
)
def test_each_route_gets_its_parameters_under_its_names(path, sent):
    entry = Entry(name="a:latest", model=MODEL, modified_ns=1, system="S", parameters=EVERYTHING)
    assert inherited_payload(path, {}, entry) == sent
    own = dict.fromkeys(sent, "own")
    assert inherited_payload(path, own, entry) == own


@pytest.mark.parametrize("parameters", [{"num_predict": -1}, {"seed": -1}])
def test_parameters_that_mean_nothing_in_particular_are_left_out(parameters):
    entry = Entry(name="a:latest", model=MODEL, modified_ns=1, parameters=parameters)
    assert inherited_payload("/v1/chat/completions", {}, entry) == {}


@pytest.mark.parametrize(
    ("path", "given", "off", "high"),
    [
        (
            "/v1/chat/completions",
            {"reasoning_effort": "low"},
            {"reasoning_effort": "none"},
            {"reasoning_effort": "high"},
        ),
        (
            "/v1/responses",
            {"reasoning": {"effort": "low"}},
            {"reasoning": {"effort": "none"}},
            {"reasoning": {"effort": "high"}},
        ),
        ("/api/v1/chat", {"reasoning": "low"}, {"reasoning": "off"}, {"reasoning": "high"}),
        ("/api/v1/models/load", {}, {}, {}),
    ],
)
def test_a_level_of_thinking_replaces_that_of_the_request(path, given, off, high):
    assert settings_of_payload(path, given).think == ("low" if given else None)
    assert [changed_payload(path, given, think=think) for think in (False, "high")] == [off, high]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([{"role": "user", "content": "a"}], [{"role": "system", "content": "S"}, {"role": "user", "content": "a"}]),
        ([{"role": "developer", "content": "old", "name": "x"}], [{"role": "developer", "content": "S", "name": "x"}]),
    ],
)
def test_a_system_prompt_replaces_the_one_at_the_start_of_a_chat(given, sent):
    assert changed_payload("/v1/chat/completions", {"messages": given}, system="S") == {"messages": sent}


def test_a_limit_replaces_both_names_that_openai_has_for_it():
    given = {"max_tokens": 9, "max_completion_tokens": 9}
    assert changed_payload("/v1/chat/completions", given, options={"num_predict": 5}) == {"max_tokens": 5}

"""A request says what it wants; what it leaves open comes from the name it uses."""

from __future__ import annotations

import pytest

from flask_shim.errors import ShimError
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.alias_defaults import context_of, payload_with_alias_turns, with_alias_turns
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.requests import ChatRequest, EmbedRequest, GenerateRequest, Message
from flask_shim.translate.payload_settings import payload_with_settings, settings_of_payload
from flask_shim.translate.request_settings import settings_of, with_defaults, with_settings

MODEL = Model(key="tiny")
PLAIN = Entry(name="tiny:latest", model=MODEL, modified_ns=1)
SYSTEM, TURN = Message("system", "You are Rumpel."), Message("user", "before")
RUMPEL = Entry(
    name="rumpel:latest",
    model=MODEL,
    modified_ns=1,
    system="You are Rumpel.",
    template="{{ .Prompt }}",
    parameters={"temperature": 0.5, "num_ctx": 2048, "stop": ["x"], "seed": 0},
    messages=(TURN,),
)
ASKED = Message("user", "Who are you?")


def inherited(request, entry):
    request = with_alias_turns(request, entry)
    return with_settings(request, with_defaults(settings_of(request), entry))


def inherited_payload(path, payload, entry):
    payload = payload_with_alias_turns(path, payload, entry)
    given = settings_of_payload(path, payload)
    return payload_with_settings(path, payload, given, with_defaults(given, entry), entry.model)


@pytest.mark.parametrize(
    ("options", "merged"),
    [
        ({}, {"temperature": 0.5, "num_ctx": 2048, "stop": ["x"], "seed": 0}),
        ({"temperature": 1, "top_k": 3}, {"temperature": 1, "num_ctx": 2048, "stop": ["x"], "seed": 0, "top_k": 3}),
        ({"stop": [], "seed": None}, {"temperature": 0.5, "num_ctx": 2048, "stop": [], "seed": 0}),
    ],
)
def test_parameters_lie_under_the_options_of_every_kind_of_request(options, merged):
    asks = (ChatRequest, GenerateRequest, EmbedRequest)
    assert [inherited(ask(model="rumpel", options=options), RUMPEL).options for ask in asks] == [merged] * 3


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ((ASKED,), (SYSTEM, TURN, ASKED)),
        ((Message("system", "own"), ASKED), (TURN, Message("system", "own"), ASKED)),
        ((Message("developer", "own"), ASKED), (TURN, Message("developer", "own"), ASKED)),
        ((ASKED, Message("system", "late")), (SYSTEM, TURN, ASKED, Message("system", "late"))),
        ((), ()),
    ],
)
def test_a_chat_is_put_behind_the_turns_of_its_alias(given, sent):
    assert inherited(ChatRequest(model="rumpel", messages=given), RUMPEL).messages == sent


def test_a_prompt_has_the_system_prompt_and_template_of_its_alias():
    ask = inherited(GenerateRequest(model="rumpel", prompt="hi"), RUMPEL)
    assert (ask.system, ask.template, ask.options["num_ctx"]) == ("You are Rumpel.", "{{ .Prompt }}", 2048)


def test_a_prompt_keeps_a_system_prompt_and_template_of_its_own():
    ask = inherited(GenerateRequest(model="rumpel", prompt="hi", system="own", template="own"), RUMPEL)
    assert (ask.system, ask.template) == ("own", "own")


def test_a_raw_prompt_has_only_the_parameters():
    ask = inherited(GenerateRequest(model="rumpel", prompt="hi", raw=True), RUMPEL)
    assert (ask.system, ask.template, ask.options["temperature"]) == ("", "", 0.5)


def test_requests_for_a_plain_model_stay_as_they_are():
    chat, generate = (
        ChatRequest(model="tiny", messages=(ASKED,)),
        GenerateRequest(model="tiny", prompt="hi", options={"a": 1}),
    )
    payload = {"messages": [{"role": "user", "content": "hi"}]}
    assert inherited(chat, PLAIN) == chat
    assert inherited(generate, PLAIN) == generate
    assert inherited_payload("/v1/chat/completions", payload, PLAIN) == payload
    assert context_of(PLAIN) == 0


USER = {"role": "user", "content": "hi"}
BEFORE = {"role": "user", "content": "before"}
OWN = {"role": "system", "content": "You are Rumpel."}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v0/chat/completions"])
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"messages": [USER]}, {"messages": [OWN, BEFORE, USER], "temperature": 0.5, "seed": 0, "stop": ["x"]}),
        (
            {"messages": [{"role": "developer", "content": "own"}, USER], "temperature": 1, "stop": "y", "seed": 4},
            {
                "messages": [BEFORE, {"role": "developer", "content": "own"}, USER],
                "temperature": 1,
                "stop": "y",
                "seed": 4,
            },
        ),
        ({"messages": "x"}, {"messages": "x", "temperature": 0.5, "seed": 0, "stop": ["x"]}),
        ({"messages": [3]}, {"messages": [OWN, BEFORE, 3], "temperature": 0.5, "seed": 0, "stop": ["x"]}),
        ({}, {"temperature": 0.5, "seed": 0, "stop": ["x"]}),
    ],
)
def test_an_openai_chat_inherits_turns_and_parameters(path, given, sent):
    before = repr(given)
    assert inherited_payload(path, given, RUMPEL) == sent
    assert repr(given) == before


def test_parameters_of_the_wrong_type_fail_when_they_are_used():
    entry = Entry(name="a:latest", model=MODEL, modified_ns=1, parameters={"num_ctx": "many"})
    with pytest.raises(ShimError, match='option "num_ctx" must be of type integer') as caught:
        context_of(entry)
    assert caught.value.status == 500

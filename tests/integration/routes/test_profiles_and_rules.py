"""Profiles of models and rules for clients apply on every route that has a model."""

from __future__ import annotations

import logging
import math

import pytest
from support.answers import sse, streams
from support.apps import several_apps
from support.fake_lmstudio import LOAD, FakeLMStudio

from flask_shim.config.shim_file import Bounds, ClientRule, ModelProfile, NamedKey, Options, ShimFile
from flask_shim.lmstudio.api_versions import ApiVersion

CHAT = "/v1/chat/completions"
TURN = [{"role": "user", "content": "Hi"}]
ROUTES = {
    "/api/chat": {"messages": TURN},
    "/api/generate": {"prompt": "Hi"},
    "/v1/chat/completions": {"messages": TURN},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": TURN, "max_tokens": 9},
}
THINKER = {"capabilities": {"reasoning": {"allowed_options": ["off", "on"], "default": "on"}}}


@pytest.fixture(scope="module")
def studio():
    with FakeLMStudio({"tiny": None}) as running:
        yield running


@pytest.fixture
def shim(studio, tmp_path):
    """Return a function that makes a client of a shim with these tables."""
    studio.calm()
    studio.rows = lambda: [
        {
            "key": key,
            "type": "llm",
            "max_context_length": 65536,
            **THINKER,
            "loaded_instances": [{"id": key, "config": {"context_length": context}}] if context else [],
        }
        for key, context in studio.models.items()
    ]
    usual = {"default_temperature": None, "model_cache_ttl": 0, "data_dir": tmp_path, "backend_url": studio.url}
    with several_apps(**usual) as app_of:
        yield lambda **tables: app_of(file=ShimFile(path=tmp_path / "x.toml", **tables)).test_client()


@pytest.fixture
def sent(studio):
    """Return a function that sends a request and returns what LM Studio's chat received."""

    def send(client, path, *, headers=None, **more):
        answer = client.post(path, json={"model": "tiny", "stream": False, **ROUTES[path], **more}, headers=headers)
        assert answer.status_code == 200, answer.text
        return studio.posted(CHAT)[-1]

    return send


def profile(**keys):
    return {"models": (ModelProfile(name="ti*", line=1, **keys),)}


@pytest.mark.parametrize("path", ROUTES)
def test_a_profile_applies_on_every_route(shim, studio, sent, path):
    client = shim(
        **profile(context=8192, flash_attention=True, keep_alive=60, temperature=0.3, think=False, system="S")
    )
    payload = sent(client, path)
    assert studio.posted(LOAD) == [
        {"model": "tiny", "echo_load_config": True, "flash_attention": True, "context_length": 8192}
    ]
    wanted = {"temperature": 0.3, "reasoning_effort": "none", "ttl": 60}
    assert {name: payload.get(name) for name in wanted} == wanted
    assert payload["messages"][0] == {"role": "system", "content": "S"}


def test_a_model_is_loaded_with_its_profile_after_an_unload(shim, studio, sent):
    client = shim(**profile(num_experts=4))
    for _ in range(2):
        sent(client, "/api/chat")
        studio.models["tiny"] = None
    assert [load["num_experts"] for load in studio.posted(LOAD)] == [4, 4]


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/api/chat", {"options": {"temperature": 1.5, "num_ctx": 1024}, "think": True, "keep_alive": 5}),
        ("/v1/messages", {"temperature": 1.5, "thinking": {"type": "enabled", "budget_tokens": 1}}),
        ("/v1/chat/completions", {"temperature": 1.5, "reasoning_effort": "high", "ttl": 5}),
    ],
)
def test_the_request_wins_over_the_profile(shim, sent, path, given):
    payload = sent(shim(**profile(temperature=0.3, think=False, keep_alive=60)), path, **given)
    assert payload["temperature"] == 1.5
    assert payload.get("reasoning_effort") != "none"
    assert payload["ttl"] == (60 if path == "/v1/messages" else 5)


def test_a_profile_is_shown(shim):
    client = shim(**profile(context=8192, temperature=0.3, system="S", stop=("x",)))
    shown = client.post("/api/show", json={"model": "tiny"}).json
    assert shown["system"] == "S"
    assert [line.split() for line in shown["parameters"].splitlines()] == [
        ["temperature", "0.3"],
        ["stop", '"x"'],
        ["num_ctx", "8192"],
    ]
    lengths = [value for name, value in shown["model_info"].items() if name.endswith(".context_length")]
    assert lengths == [8192]
    assert client.get("/api/tags").json["models"][0]["details"]["context_length"] == 8192


def test_later_profiles_win_for_each_key(shim, sent):
    tables = (ModelProfile(name="*", line=1, temperature=0.1, top_p=0.5), ModelProfile(name="tiny", line=2, top_p=0.9))
    payload = sent(shim(models=tables), "/api/chat")
    assert (payload["temperature"], payload["top_p"]) == (0.1, 0.9)


def test_what_an_old_lm_studio_cannot_set_is_in_the_log_once(shim, studio, sent, caplog):
    studio.version, studio.rows = ApiVersion.V0, None
    client = shim(**profile(context=8192, flash_attention=True))
    for _ in range(2):
        sent(client, "/api/chat")
        studio.models["tiny"] = None
    assert caplog.text.count("flash_attention, context can only be set with LM Studio 0.4 or later") == 1


def test_what_was_loaded_otherwise_is_in_the_log(shim, studio, sent, caplog):
    studio.answers[LOAD] = {"status": "loaded", "load_config": {"parallel": 4}}
    sent(shim(**profile(parallel=2, num_experts=3)), "/api/chat")
    assert "tiny is loaded with parallel=4 instead of 2" in caplog.text


RULE = ClientRule(
    line=7,
    drop=("top_k",),
    set=Options(temperature=0.2),
    max=Bounds(num_predict=5),
    think=False,
    keep_alive=math.inf,
    prepend_system="P",
    append_system="A",
)


@pytest.mark.parametrize("path", ROUTES)
def test_a_rule_applies_on_every_route(shim, sent, path, caplog):
    caplog.set_level(logging.DEBUG)
    limit = {"max_tokens": 9, "max_output_tokens": 9, "temperature": 1, "top_k": 3}
    options = {"num_predict": 9, "temperature": 1, "top_k": 3}
    given = {"options": options} if path.startswith("/api") else limit
    payload = sent(shim(rules=(RULE,)), path, **given)
    wanted = {"temperature": 0.2, "max_tokens": 5, "reasoning_effort": "none", "ttl": 2147483, "top_k": None}
    assert {name: payload.get(name) for name in wanted} == wanted
    assert payload["messages"][0] == {"role": "system", "content": "P\n\nA"}
    assert "line 7 changed" in caplog.text


@pytest.mark.parametrize(
    ("path", "given", "expected"),
    [
        (
            "/api/v0/chat/completions",
            {"messages": TURN, "max_tokens": 9},
            {
                "messages": [{"role": "system", "content": "P\n\nA"}, *TURN],
                "max_tokens": 5,
                "reasoning_effort": "none",
                "ttl": 2147483,
            },
        ),
        (
            "/api/v0/completions",
            {"prompt": "Hi", "max_tokens": 9},
            {"prompt": "Hi", "max_tokens": 5, "reasoning_effort": "none", "ttl": 2147483},
        ),
        (
            "/api/v1/chat",
            {"input": "Hi", "max_output_tokens": 9},
            {"input": "Hi", "max_output_tokens": 5, "reasoning": "off", "system_prompt": "P\n\nA"},
        ),
    ],
)
def test_a_rule_applies_on_the_native_chats_of_lm_studio(shim, studio, path, given, expected):
    studio.answers[path] = {"choices": []}
    answer = shim(rules=(RULE,)).post(path, json={"model": "tiny", "temperature": 1, "top_k": 3, **given})
    assert answer.status_code == 200, answer.text
    assert studio.posted(path) == [{"model": "tiny", "temperature": 0.2, **expected}]


@pytest.mark.parametrize(
    ("rule", "is_match"),
    [
        ({"client": ("Claude Code",)}, True),
        ({"client": ("VS Code",)}, False),
        ({"user_agent": ("claude-cli/*",), "route": ("/v1/*",)}, True),
        ({"user_agent": ("claude-cli/*",), "route": ("/api/*",)}, False),
        ({"model": ("TINY",)}, True),
        ({"key": ("editor",)}, True),
        ({"key": ("other",)}, False),
    ],
)
def test_a_rule_applies_if_everything_that_it_names_matches(shim, sent, rule, is_match):
    keys = (NamedKey(name="editor", value="k1"), NamedKey(name="other", value="k2"))
    client = shim(rules=(ClientRule(line=1, set=Options(top_p=0.5), **rule),), keys=keys)
    headers = {"User-Agent": "claude-cli/2.0", "X-Api-Key": "k1"}
    assert (sent(client, "/v1/messages", headers=headers).get("top_p") == 0.5) is is_match


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_rule_hides_the_thinking(shim, studio, path, stream):
    thought = sse({"choices": [{"index": 0, "delta": {"reasoning_content": "secret"}}]})
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "secret"}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    studio.answers[CHAT] = whole if path == CHAT and not stream else streams(thought, "Hello")
    client = shim(rules=(ClientRule(hide_thinking=True),))
    answer = client.post(path, json={"model": "tiny", **ROUTES[path], "stream": stream})
    assert "Hello" in answer.text
    assert "secret" not in answer.text

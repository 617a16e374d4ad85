"""With SHIM_AUTO_CONTEXT a model is reloaded for a prompt that does not fit: once, never with less, never in a loop."""

from __future__ import annotations

from contextlib import closing

import pytest
from support.fake_lmstudio import CHAT, CRASHED, LOAD, UNLOAD, FakeLMStudio, Status, v1_model

from flask_shim.config import Config
from flask_shim.lmstudio.errors import ContextOverflow
from flask_shim.models.loader import ModelRequirements
from flask_shim.services import Services

SHORT = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
LONG = {"messages": [{"role": "user", "content": "word " * 4000}], "stream": True}
"""About 5000 tokens."""


class Studio(FakeLMStudio):
    """Reports an overflow until the model has room for ``prompt_tokens``."""

    prompt_tokens = 0
    grants = 1 << 20

    def __init__(self):
        super().__init__({"tiny": 4096, "cold": None}, self._reply)
        self.rows = lambda: [
            v1_model(key, context_length=context, max_context_length=32768) for key, context in self.models.items()
        ]

    def _reply(self, asked):
        if asked.path == LOAD:
            self.models[asked.json["model"]] = min(asked.json.get("context_length", 4096), self.grants)
            return {"instance_id": asked.json["model"], "status": "loaded"}
        context = self.models.get(asked.json.get("model")) or 0
        if asked.path != CHAT or context > self.prompt_tokens:
            return None
        sizes = {"n_prompt_tokens": self.prompt_tokens, "n_ctx": context}
        return Status(400, {"error": {"message": "too long", "type": "exceed_context_size_error", **sizes}})

    @property
    def sent(self):
        named = {CHAT: "chat", UNLOAD: "unload"}
        paths = [asked for asked in self.asked if asked.method == "POST"]
        return [named.get(asked.path) or asked.json.get("context_length", "load") for asked in paths]


@pytest.fixture
def studio():
    with Studio() as studio:
        yield studio


@pytest.fixture
def chat(studio, tmp_path):
    """Return a function that sends a chat through one shim with the setting."""
    built = []

    def send(payload=SHORT, name="tiny", auto_context=True, **more):
        if not built:
            settings = {"auto_context": auto_context, "data_dir": tmp_path}
            built.append(Services.build(Config(backend_url=studio.url, **settings)))
        services = built[0]
        requirements = ModelRequirements(target=services.registry.find(name), **more)
        with closing(services.manager.use(requirements, payload)) as use:
            use.send(lambda named: use.client.open_completion(CHAT, named, use.call), payload).close()

    yield send
    for services in built:
        services.close()


def overflows(chat, *args, **more):
    with pytest.raises(ContextOverflow) as caught:
        chat(*args, **more)
    return caught.value.prompt_tokens


def test_a_prompt_that_is_too_long_by_estimate_reloads_first(chat, studio):
    chat(LONG)
    chat(LONG)
    assert studio.sent == ["unload", 8192, "chat", "chat"]


def test_a_reported_overflow_reloads_and_repeats_once(chat, studio):
    studio.prompt_tokens = 9000
    chat()
    chat()
    assert studio.sent == ["chat", "unload", 12288, "chat", "chat"]


def test_a_request_that_needs_less_does_not_reload(chat, studio):
    chat(LONG)
    chat(SHORT, context=4096)
    assert studio.sent == ["unload", 8192, "chat", "chat"]


def test_num_ctx_is_the_least_context(chat, studio):
    chat(LONG, context=16384)
    assert studio.sent == ["unload", 16384, "chat"]


def test_without_the_setting_the_overflow_is_reported(chat, studio):
    studio.prompt_tokens = 9000
    assert overflows(chat, auto_context=False) == 9000
    assert studio.sent == ["chat"]


def test_less_than_requested_is_accepted_once(chat, studio):
    studio.prompt_tokens, studio.grants = 9000, 8192
    assert overflows(chat) == 9000
    assert overflows(chat) == 9000
    assert studio.sent == ["chat", "unload", 12288, "chat"]
    assert studio.models["tiny"] == 8192


def test_a_refused_load_leaves_the_context_as_it_was(chat, studio):
    studio.prompt_tokens = 9000
    studio.models["tiny"] = 6000
    usual, refused = studio.answer, []

    def refuse_more(asked):
        if asked.path == LOAD and asked.json["context_length"] > 6000:
            refused.append(asked)
            return CRASHED
        return usual(asked)

    studio.answer = refuse_more
    assert overflows(chat) == 9000
    assert overflows(chat) == 9000
    assert (len(refused), studio.models["tiny"]) == (1, 6000)


def test_a_prompt_beyond_the_maximum_reloads_nothing(chat, studio):
    studio.prompt_tokens = 40_000
    assert overflows(chat) == 40_000
    assert studio.sent == ["chat"]


@pytest.mark.parametrize(("payload", "sent"), [(SHORT, ["load", "chat"]), (LONG, ["load", "unload", 8192, "chat"])])
def test_a_cold_model_keeps_its_own_context_if_that_is_enough(chat, studio, payload, sent):
    chat(payload, "cold")
    assert studio.sent == sent

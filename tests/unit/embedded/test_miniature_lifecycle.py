"""Loading, unloading, loading on first use, idle time."""

import pytest

from flask_shim.embedded.loaded_models import TINY_MIN_P


def test_load_returns_the_config_on_request(api):
    body = api.load("tiny-chat", context_length=2048, echo_load_config=True).json()
    assert body.pop("load_time_seconds") > 0
    assert body == {
        "type": "llm",
        "instance_id": "tiny-chat",
        "status": "loaded",
        "load_config": {
            "context_length": 2048,
            "eval_batch_size": 512,
            "flash_attention": True,
            "offload_kv_cache_to_gpu": True,
        },
    }


def test_load_accepts_every_documented_field(api):
    asked = {
        "context_length": 512,
        "eval_batch_size": 64,
        "flash_attention": False,
        "num_experts": 2,
        "offload_kv_cache_to_gpu": False,
    }
    assert api.load("tiny-chat", echo_load_config=True, **asked).json()["load_config"] == asked
    assert api.chat("Hello").status_code == 200


def test_second_load_makes_a_second_copy_with_an_id_of_its_own(api):
    ids = [api.load("tiny-chat").json()["instance_id"] for _ in range(3)]
    assert ids == ["tiny-chat", "tiny-chat:2", "tiny-chat:3"]
    assert api.chat("Hello", model="tiny-chat:2").json()["model"] == "tiny-chat:2"
    assert api.chat("Hello", model="tiny-chat").json()["model"] == "tiny-chat"


@pytest.mark.parametrize(
    ("payload", "status", "code", "param"),
    [
        ({}, 400, "missing_required_parameter", "model"),
        ({"model": "nope"}, 404, "model_not_found", "model"),
        ({"model": "tiny-chat", "ttl": 5}, 400, "unrecognized_keys", None),
        ({"model": "tiny-chat", "context_length": "8"}, 400, "invalid_type", "context_length"),
        ({"model": "tiny-chat", "context_length": True}, 400, "invalid_type", "context_length"),
        ({"model": "tiny-chat", "context_length": 9000}, 400, "invalid_value", "context_length"),
    ],
)
def test_load_rejects_unknown_fields(api, payload, status, code, param):
    response = api.post("/api/v1/models/load", payload)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.json()["error"]["param"] == param
    assert api.loaded() == []


def test_load_of_a_broken_file_quotes_the_engine(start, tmp_path, tiny_models):
    whole = (tiny_models / "tiny-chat.gguf").read_bytes()
    (tmp_path / "broken.gguf").write_bytes(whole[: len(whole) // 2])
    api = start(models=tmp_path)
    loaded, asked = api.load("broken"), api.chat("Hello", model="broken")
    assert loaded.status_code == 500
    assert loaded.json()["error"]["type"] == "model_load_failed"
    assert 'Failed to load model "broken". Error: ' in asked.json()["error"]
    assert "broken.gguf" in asked.json()["error"]
    assert asked.status_code == 400
    assert api.loaded() == []


def test_unload_ends_the_engine(api, miniature):
    api.load("tiny-chat")
    (instance,) = miniature.services.loaded_models.all()
    assert api.unload("tiny-chat").json() == {"instance_id": "tiny-chat"}
    assert api.loaded() == []
    assert instance.engine.exit_code == 0


def test_unload_of_an_unknown_instance_is_refused(api):
    response = api.unload("tiny-chat")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


def test_first_use_loads_the_model(api):
    assert api.chat("Hello").json()["model"] == "tiny-chat"
    assert api.loaded() == ["tiny-chat"]


def test_first_use_loads_with_the_default_context(api, miniature):
    api.chat("Hello")
    (instance,) = miniature.services.loaded_models.all()
    assert instance.config.context_length == 4096
    assert instance.ttl_seconds == 3600


def test_idle_model_is_unloaded_after_its_ttl(start, until):
    now = [0.0]
    api = start(clock=lambda: now[0])
    api.chat("Hello", ttl=60)
    now[0] = 59.0
    api.chat("Hello", ttl=1)
    now[0] = 118.0
    api.miniature.services.loaded_models.sweep()
    assert api.loaded() == ["tiny-chat"]
    now[0] = 119.0
    until(lambda: api.loaded() == [])


def test_explicitly_loaded_model_stays_forever(start):
    now = [0.0]
    api = start(clock=lambda: now[0])
    api.load("tiny-chat")
    api.chat("Hello", ttl=1)
    now[0] = 1e9
    api.miniature.services.loaded_models.sweep()
    assert api.loaded() == ["tiny-chat"]


def test_busy_model_is_not_idle(start):
    now = [0.0]
    api = start(clock=lambda: now[0], endless=True)
    with api.chat("Tell me a long story.", ttl=60, stream=True) as response:
        chunks = response.iter_content(None)
        next(chunks)
        now[0] = 1000.0
        api.miniature.services.loaded_models.sweep()
        assert api.loaded() == ["tiny-chat"]
        assert next(chunks)


def test_unknown_model_is_answered_by_the_only_loaded_one(api):
    api.load("tiny-think")
    assert api.chat("Hello", model="gpt-4o").json()["model"] == "tiny-think"
    assert api.chat("Hello", model=None).json()["model"] == "tiny-think"


def test_unknown_model_is_refused_while_none_is_loaded(api):
    response = api.chat("Hello", model="o4-mini")
    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "message": 'Invalid model identifier "o4-mini". Please specify a valid downloaded model '
            "(e.g., tiny-chat, tiny-think, tiny-vision).",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


def test_unknown_model_is_refused_with_a_list_while_several_are_loaded(api):
    api.load("tiny-chat")
    api.load("tiny-think")
    response = api.chat("Hello", model="default")
    assert response.status_code == 404
    assert response.json()["error"]["message"].startswith('Model "default" not found. Please specify a valid model.')


def test_crashed_engine_is_replaced_at_the_next_request(api, miniature):
    api.load("tiny-chat")
    (instance,) = miniature.services.loaded_models.all()
    instance.engine.stop()
    assert api.chat("Hello").json()["model"] == "tiny-chat"
    assert miniature.services.loaded_models.all() != (instance,)


def test_only_the_tiny_models_are_kept_to_likely_words(start, tmp_path, tiny_models):
    (tmp_path / "mine.gguf").write_bytes((tiny_models / "tiny-chat.gguf").read_bytes())
    for api, name, min_p in ((start(), "tiny-chat", TINY_MIN_P), (start(models=tmp_path), "mine", None)):
        api.load(name)
        (instance,) = api.miniature.services.loaded_models.all()
        assert instance.engine.spec.min_p == min_p

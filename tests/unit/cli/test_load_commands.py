"""``flask-shim load``, ``unload`` and ``preload``."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import CRASHED, NONE_LOADED, Status

LOAD, CHAT = "/api/v1/models/load", "/v1/chat/completions"


@pytest.mark.parametrize("name", ["tiny", "tiny:latest", "TINY"])
def test_load_accepts_names_as_clients_write_them(invoke, studio, name):
    backend = studio(tiny=None)
    result = invoke(backend, "load", name)
    assert (result.exit_code, result.stdout) == (0, "tiny:latest is loaded, with a context of 4096 tokens.\n")
    assert backend.models == {"tiny": 4096}


@pytest.mark.parametrize(
    ("loaded", "asked", "then"), [(None, "2048", 2048), (4096, "2048", 4096), (4096, "8192", 8192)]
)
def test_load_grants_at_least_the_requested_context(invoke, studio, loaded, asked, then):
    backend = studio(tiny=loaded)
    assert f"a context of {then} tokens" in invoke(backend, "load", "tiny", "--context", asked).stdout
    assert backend.models == {"tiny": then}


def test_load_without_a_context_uses_the_default(invoke, studio):
    backend = studio(tiny=None)
    invoke(backend, "load", "tiny", SHIM_DEFAULT_CONTEXT="1024")
    assert backend.models == {"tiny": 1024}


def test_load_loads_no_second_copy(invoke, studio):
    backend = studio(tiny=4096)
    assert invoke(backend, "load", "tiny").exit_code == 0
    assert backend.paths() == []


def test_exclusive_load_unloads_the_others_first(invoke, studio):
    backend = studio(tiny=None, large=4096, other=2048)
    result = invoke(backend, "load", "tiny", "--exclusive")
    assert result.stdout.splitlines()[:2] == ["Unloaded large.", "Unloaded other."]
    assert backend.models == {"tiny": 4096, "large": None, "other": None}


@pytest.mark.parametrize("generation", ["v0", "openai"])
def test_old_backend_loads_on_the_first_request(invoke, studio, generation):
    backend = studio(generation, tiny=None)
    result = invoke(backend, "load", "tiny")
    assert (result.exit_code, backend.paths()) == (0, [f"POST {CHAT}"])
    assert result.stdout.startswith("tiny:latest is loaded")


def test_an_error_of_lm_studio_cannot_control_a_terminal(invoke, studio):
    backend = studio(tiny=None)
    backend.answers[LOAD] = Status(400, {"error": {"message": "\x1b[2Jno memory"}})
    result = invoke(backend, "load", "tiny")
    assert ("[2Jno memory" in result.stderr, "\x1b" in result.stderr) == (True, False)


@pytest.mark.parametrize("arguments", [("tiny",), ("tiny", "--context", "8192")])
def test_load_with_an_old_backend_is_an_error(invoke, studio, arguments):
    backend = studio("v0", tiny=None)
    backend.answers[CHAT] = NONE_LOADED
    result = invoke(backend, "load", *arguments)
    assert (result.exit_code, "LM Studio 0.4 or later" in result.stderr) == (1, True)


def test_failed_load_reports_the_reason(invoke, studio):
    backend = studio(tiny=None)
    backend.answers[LOAD] = CRASHED
    result = invoke(backend, "load", "tiny")
    assert (result.exit_code, result.stderr) == (1, "Failed to load model. Out of memory.\n")


def test_unload_of_a_model(invoke, studio):
    backend = studio(tiny=4096, large=4096)
    assert invoke(backend, "unload", "tiny:latest").stdout == "Unloaded tiny.\n"
    assert backend.models == {"tiny": None, "large": 4096}


def test_unload_of_one_copy_leaves_the_others(invoke, studio):
    backend = studio()
    copies = [{"id": name, "config": {"context_length": 4096}} for name in ("tiny", "tiny:2")]
    backend.answers["/api/v1/models"] = {"models": [{"key": "tiny", "type": "llm", "loaded_instances": copies}]}
    assert invoke(backend, "unload", "tiny:2").stdout == "Unloaded tiny:2.\n"
    assert invoke(backend, "unload", "tiny").stdout == "Unloaded tiny, tiny:2.\n"


def test_unload_of_all(invoke, studio):
    backend = studio(tiny=4096, large=4096, other=None)
    assert invoke(backend, "unload", "--all").stdout == "Unloaded tiny.\nUnloaded large.\n"
    assert invoke(backend, "unload", "--all").stdout == "No model was loaded.\n"


def test_unload_of_a_model_that_is_not_loaded_is_reported(invoke, studio):
    result = invoke(studio(tiny=None), "unload", "tiny")
    assert (result.exit_code, result.stdout) == (0, "tiny was not loaded.\n")


@pytest.mark.parametrize("arguments", [(), ("tiny", "--all")])
def test_unload_requires_a_model(invoke, studio, arguments):
    result = invoke(studio(tiny=4096), "unload", *arguments)
    assert (result.exit_code, "Either name the models to unload, or use --all." in result.stderr) == (2, True)


@pytest.mark.parametrize(("generation", "says"), [("openai", "does not tell which models"), ("v0", "cannot unload")])
def test_unload_of_all_with_an_old_backend_is_an_error(invoke, studio, generation, says):
    result = invoke(studio(generation, tiny=4096), "unload", "--all")
    assert (result.exit_code, says in result.stderr) == (1, True)


def test_preload_loads_the_models_of_the_settings(invoke, studio):
    backend = studio(tiny=None, large=None, other=None)
    result = invoke(backend, "preload", SHIM_PRELOAD="tiny, large:latest")
    assert (result.exit_code, result.stdout) == (0, "tiny is loaded.\nlarge:latest is loaded.\n")
    assert backend.models == {"tiny": 4096, "large": 4096, "other": None}


def test_preload_of_named_models_leaves_the_settings_alone(invoke, studio):
    backend = studio(tiny=None, large=None)
    invoke(backend, "preload", "large", SHIM_PRELOAD="tiny")
    assert backend.models == {"tiny": None, "large": 4096}


def test_preload_continues_after_a_failure(invoke, studio):
    backend = studio(tiny=None)
    result = invoke(backend, "preload", "nope", "tiny")
    assert (result.exit_code, result.stdout) == (1, "tiny is loaded.\n")
    assert result.stderr == "nope is not loaded: LM Studio has no model 'nope'\n"


def test_preload_of_nothing_is_a_mistake(invoke, studio):
    result = invoke(studio(tiny=None), "preload")
    assert (result.exit_code, result.stderr) == (2, "No model to load: name models, or set SHIM_PRELOAD.\n")


COMMANDS = [("load", "tinny"), ("unload", "tinny"), ("show", "tinny"), ("rm", "tinny")]


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_name_is_exit_code_1_with_similar_names(invoke, studio, command):
    result = invoke(studio(tiny=None, large=None), *command)
    assert (result.exit_code, result.stderr) == (1, "LM Studio has no model 'tinny'. Did you mean tiny:latest?\n")


def test_unknown_name_like_no_other_names_the_list(invoke, studio):
    result = invoke(studio(tiny=None), "load", "zzz")
    assert result.stderr == "LM Studio has no model 'zzz'. flask-shim models lists the models.\n"


@pytest.mark.parametrize("command", [*COMMANDS, ("preload", "a", "b"), ("pull", "m"), ("ensure", "m")])
def test_unreachable_lm_studio_is_one_text_and_exit_code_1(invoke, command):
    result = invoke("http://127.0.0.1:9", *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("LM Studio is not reachable at http://127.0.0.1:9 (connection refused)") == 1


def test_work_is_seen_on_a_terminal_only(invoke, studio):
    backend = studio(tiny=None)
    assert "Loading" not in invoke(backend, "load", "tiny").stdout
    backend.models["tiny"] = None
    assert "Loading tiny" in invoke(backend, "load", "tiny", FORCE_COLOR="1").stdout

"""What the doctor makes of LM Studio's answers."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import UNKNOWN, v0_model, v1_model

from flask_shim.config.backend_table import BackendTable
from flask_shim.doctor.findings import fail
from flask_shim.doctor.lmstudio_checks import ROOT, judge_lmstudio, judge_table
from flask_shim.lmstudio.http.options import ClientOptions

V1, V0, OPENAI, GREETING = "/api/v1/models", "/api/v0/models", "/v1/models", "/lmstudio-greeting"
LOADED, COLD = v1_model("tiny", context_length=4096), v1_model("cold")
OLD_LOADED, OLD_COLD = v0_model("tiny", context_length=4096), v0_model("cold")
NO_TOKEN = {"error": {"code": "invalid_api_key", "message": "An LM Studio API token is required"}}


def openai(*keys):
    return {"data": [{"id": key} for key in keys]}


NEW = {GREETING: {"lmstudio": True}, V1: {"models": [LOADED, COLD]}, OPENAI: openai("tiny", "cold")}
OLD = {GREETING: {"lmstudio": True}, V1: UNKNOWN, V0: {"data": [OLD_LOADED, OLD_COLD]}, OPENAI: openai("tiny", "cold")}
OLDEST = {GREETING: {"lmstudio": True}, V1: UNKNOWN, V0: UNKNOWN, OPENAI: openai("tiny")}

FINE = {"backend": "ok", "token": "ok", "generation": "ok", "jit": "ok"}


@pytest.fixture
def judged(response, levels):
    def judge(bodies, *, can_load=False, **client_options):
        answers = {path: response(body) for path, body in ({GREETING: {}, V1: {}, V0: {}} | bodies).items()}
        return list(judge_lmstudio(ClientOptions(**client_options), answers, can_load=can_load))

    return judge


@pytest.mark.parametrize(
    ("bodies", "can_load", "expected"),
    [
        (NEW, False, FINE),
        (NEW | {OPENAI: openai("tiny")}, False, FINE | {"jit": "note"}),
        (OLD, False, FINE | {"generation": "warn"}),
        (OLD, True, FINE),
        (OLD | {OPENAI: openai("tiny")}, False, FINE | {"generation": "warn", "jit": "warn"}),
        (OLD | {OPENAI: openai("tiny")}, True, FINE | {"jit": "note"}),
        (OLDEST, False, {"backend": "ok", "token": "ok", "generation": "warn"}),
        (NEW | {V1: {"models": []}}, False, {"backend": "ok", "token": "ok", "generation": "ok", "no-models": "fail"}),
        ({ROOT: b"<html>", OPENAI: {"error": "no"}}, False, {"backend": "fail"}),
        ({ROOT: b"Ollama is running", OPENAI: {}}, False, {"backend": "fail"}),
    ],
)
def test_answers_are_judged(judged, levels, bodies, can_load, expected):
    assert levels(judged(bodies, can_load=can_load)) == expected


def test_shim_in_place_of_lm_studio_is_recognized(judged):
    (finding,) = judged({ROOT: b"Ollama is running", OPENAI: {}})
    assert "is Ollama, or this shim itself" in finding.text


@pytest.mark.parametrize(
    ("token", "words"),
    [("", "it requires a token, and none is set"), ("sk-lm-x", "the token is refused: An LM Studio")],
)
def test_token_is_judged(response, token, words):
    answers = dict.fromkeys((GREETING, V1, V0, OPENAI), response(NO_TOKEN, 401))
    (finding,) = judge_lmstudio(ClientOptions(token=token), answers, can_load=False)
    assert (finding.level.value, finding.code) == ("fail", "token")
    assert finding.text.startswith(words)
    assert "SHIM_LMSTUDIO_TOKEN" in finding.remedy


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ("connection refused", "lms server start"),
        ("its certificate is not trusted", "SHIM_CA_FILE"),
        ("the name can't be looked up", "host in SHIM_LMSTUDIO_BASE"),
    ],
)
def test_silence_has_a_remedy_for_its_cause(response, fault, remedy):
    (finding,) = judge_lmstudio(ClientOptions(), {GREETING: response(status=0, fault=fault)}, can_load=False)
    assert finding.level.value == "fail"
    assert remedy in finding.remedy


def test_slow_list_is_reported(response, levels):
    answers = {path: response(body, seconds=3.0) for path, body in ({V0: {}} | NEW).items()}
    assert levels(judge_lmstudio(ClientOptions(), answers, can_load=False)) == FINE | {"backend-slow": "warn"}


SILENT = fail("backend", "http://b:1 does not answer", "Set SHIM_LMSTUDIO_BASE to where it answers.")


@pytest.mark.parametrize(
    ("more", "can_start", "expected"),
    [
        ({}, False, [("fail", "backend")]),
        ({"wake": "lms"}, True, [("note", "asleep")]),
        ({"wake": "lms"}, False, [("warn", "wake"), ("note", "asleep")]),
        ({"wake": "AA:BB:CC:DD:EE:FF"}, False, [("note", "asleep")]),
        ({"drain": True}, False, [("note", "drain"), ("fail", "backend")]),
    ],
)
def test_one_of_several_is_judged_by_its_table(more, can_start, expected):
    found = list(judge_table(BackendTable(name="b", url="http://b:1", **more), [SILENT], can_start=can_start))
    assert [(finding.level.value, finding.code) for finding in found] == expected
    assert not any("SHIM_LMSTUDIO_BASE" in finding.remedy for finding in found)

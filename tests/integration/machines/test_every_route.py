"""Loading, pulling, LM Studio's own API and what operators see are about the machines that have the models."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import CHAT, DOWNLOAD, LOAD, UNLOAD

HOME, TRAVEL = "desktop", "laptop"
QUESTION = [{"role": "user", "content": "Hello"}]
FIRST = {HOME: {"priority": 10}}


@pytest.fixture
def pair(start_pool):
    """A desktop, which is preferred, and a laptop; both have "tiny", loaded."""
    return start_pool({TRAVEL: {"tiny": 4096, "there": None}, HOME: {"tiny": 4096, "here": None}}, FIRST)


@pytest.fixture
def single(start_pool):
    return start_pool({"only": {"tiny": 4096}})


def posts(shim, path):
    """Return how often that path was posted to, by machine."""
    return {name: len(studio.posted(path)) for name, studio in shim.studios.items() if studio.posted(path)}


@pytest.mark.parametrize(
    ("model", "expected"), [("tiny", {HOME: 1, TRAVEL: 1}), ("laptop/tiny", {TRAVEL: 1}), ("DESKTOP/tiny", {HOME: 1})]
)
def test_unload_reaches_every_machine_or_the_one_named(pair, model, expected):
    pair.post("/api/generate", {"model": model, "keep_alive": 0})
    assert posts(pair, UNLOAD) == expected


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"model": "desktop/here"}),
        ("/shim/models/load", {"model": "here"}),
        ("/models/load", {"model_key": "desktop/here"}),
    ],
)
def test_load_is_sent_to_the_machine_that_has_the_model(pair, path, body):
    pair.post(path, body)
    assert posts(pair, LOAD) == {HOME: 1}


def test_exclusive_load_unloads_the_others_on_its_machine_only(pair):
    pair.post("/models/load", {"model_key": "here", "exclusive": True})
    assert (posts(pair, UNLOAD), posts(pair, LOAD)) == ({HOME: 1}, {HOME: 1})


@pytest.mark.parametrize(("name", "machine"), [("new/one", HOME), ("laptop/new/one", TRAVEL)])
@pytest.mark.parametrize("path", ["/api/pull", "/shim/models/pull"])
def test_pull_is_done_by_the_first_or_by_the_one_named(pair, path, name, machine):
    for studio in pair.studios.values():
        studio.offers = {"new/one": ["new/one"]}
    answer = pair.post(path, {"model": name, "stream": False})
    assert (answer.json, posts(pair, DOWNLOAD)) == ({"status": "success"}, {machine: 1})
    assert pair[machine].posted(DOWNLOAD) == [{"model": "new/one"}]


def test_pull_to_a_machine_that_lacks_the_model_is_not_done_elsewhere(pair):
    pair[TRAVEL].offers = {"here": ["here"]}
    pair.post("/api/pull", {"model": "laptop/here", "stream": False})
    assert posts(pair, DOWNLOAD) == {TRAVEL: 1}


@pytest.mark.parametrize(("header", "machine"), [({}, HOME), ({"X-Shim-Backend": TRAVEL}, TRAVEL)])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/models", None),
        ("/api/v0/chat/completions", {"model": "tiny", "messages": []}),
        (LOAD, {"model": "tiny"}),
        (UNLOAD, {"instance_id": "tiny"}),
    ],
)
def test_own_api_is_answered_by_the_machine_in_the_header(pair, path, body, header, machine):
    pair.get("/api/tags")
    before = {name: len(studio.asked) for name, studio in pair.studios.items()}
    client = pair._client()
    client.open(path, method="GET" if body is None else "POST", json=body, headers=header, buffered=True)
    sent = {name: studio.asked[before[name] :] for name, studio in pair.studios.items()}
    assert [name for name, asked in sent.items() if any(each.path == path for each in asked)] == [machine]
    assert not any("x-shim-backend" in str(each.headers).lower() for each in sent[machine])


def test_header_with_an_unknown_name_is_refused_with_all_names(pair):
    answer = pair._client().get("/api/v1/models", headers={"X-Shim-Backend": "tower"})
    assert (answer.status_code, answer.json["error"]["message"]) == (
        400,
        "no LM Studio is named 'tower': desktop, laptop",
    )


def test_model_that_the_machine_in_the_header_lacks_is_not_found(pair):
    answer = pair._client().post(LOAD, json={"model": "here"}, headers={"X-Shim-Backend": TRAVEL})
    assert (answer.status_code, posts(pair, LOAD)) == (404, {})


def test_stored_responses_are_all_at_the_first_machine(pair):
    pair[HOME].models["tiny"] = None
    for _ in range(2):
        pair.post("/v1/responses", {"model": "tiny", "input": "Hello", "previous_response_id": "resp_1", "store": True})
    assert posts(pair, "/v1/responses") == {HOME: 2}


def test_operators_see_every_machine(pair):
    pair._client().post("/api/chat", json={"model": "tiny", "messages": QUESTION}, buffered=True)
    pair[TRAVEL].kill()
    pair.get("/metrics")
    machines = {row["name"]: row for row in pair.get("/shim/status").json["backends"]}
    assert [machines[HOME][key] for key in ("state", "loaded", "models", "error")] == ["ready", ["tiny"], 2, None]
    assert machines[TRAVEL]["state"] == "away"
    assert pair.get("/shim/requests").json["ended"][0]["backend"] == HOME
    assert pair.get("/ready").json["backends"] == {HOME: "ready", TRAVEL: "away"}
    text = pair.get("/metrics").text
    assert 'shim_backend_up{backend="desktop"} 1.0' in text
    assert 'shim_backend_up{backend="laptop"} 0.0' in text


def test_models_are_shown_with_their_machines(pair):
    rows = {row["key"]: row["backends"] for row in pair.get("/shim/models").json["models"]}
    assert [(each["name"], each["is_loaded"]) for each in rows["tiny"]] == [(HOME, True), (TRAVEL, True)]
    assert [each["name"] for each in rows["there"]] == [TRAVEL]
    assert [row["backends"] for row in pair.get("/shim/status").json["loaded"]] == [[HOME, TRAVEL]]


def test_openai_list_has_the_models_of_all_machines(pair):
    assert {model["id"] for model in pair.get("/v1/models").json["data"]} == {"tiny", "here", "there"}


def test_one_machine_is_shown_as_before(single):
    single.chat()
    assert "backends" not in {*single.get("/shim/status").json, *single.get("/ready").json}
    assert all("backends" not in row for row in single.get("/shim/models").json["models"])
    assert "backend=" not in single.get("/metrics").text


@pytest.mark.parametrize("source", ["laptop/tiny", "tiny"])
def test_an_alias_keeps_the_machine_of_its_source(pair, source):
    assert pair.post("/api/copy", {"source": source, "destination": "fast"}).status_code == 200
    assert pair.post("/api/create", {"model": "faster", "from": "fast", "system": "Be brief."}).status_code == 200
    assert {"fast", "faster"} <= pair.names()
    assert pair.chat(model="fast").is_whole
    assert pair.chat(model="faster").is_whole
    expected = {TRAVEL: 2, HOME: 0} if source != "tiny" else {TRAVEL: 0, HOME: 2}
    assert pair.chats_at() == expected
    assert f"FROM {source}" in pair.post("/api/show", {"model": "fast"}).json["modelfile"]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize(("pattern", "is_match"), [("laptop/*", True), ("desktop/*", False)])
def test_a_rule_matches_by_the_machine_in_the_name(pair, path, pattern, is_match):
    rule = f'[[rule]]\nmodel = "{pattern}"\nset = {{ temperature = 0.125 }}\n'
    pair.file.write_text(pair.file.read_text(encoding="utf-8") + rule, encoding="utf-8")
    assert pair.post("/shim/reload", {}).status_code == 200
    pair.post(path, {"model": "laptop/tiny", "messages": QUESTION})
    [payload] = pair[TRAVEL].posted(CHAT)
    assert (payload.get("temperature") == 0.125) is is_match

"""What each rule of the clients takes, and what it refuses."""

from __future__ import annotations

import pytest

from flask_shim.doctor import answer_rules
from flask_shim.doctor.probe import ProbeResponse

DIGEST = "0123456789abcdef"
DETAILS = {"format": "gguf", "family": "llama", "families": None, "parameter_size": "1B", "quantization_level": "Q4"}
ENTRY = {
    "name": "a:latest",
    "model": "a:latest",
    "modified_at": "2026-11-20T13:55:26.112350108+01:00",
    "size": 1,
    "digest": DIGEST,
    "details": DETAILS,
}
RUNNING = {
    "name": "a:latest",
    "model": "a:latest",
    "expires_at": "2026-11-20T13:55:26Z",
    "size": 1,
    "size_vram": 0,
    "context_length": 4096,
    "digest": DIGEST,
}
INFO = {"general.architecture": "llama", "llama.context_length": 4096}


def models(*rows):
    return {"models": list(rows)}


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        (answer_rules.version_from("0.6.4"), {"version": "0.6.4"}),
        (answer_rules.version_from("0.6.4"), {"version": "0.40.12"}),
        (answer_rules.version_from("0.6.4"), {"version": "0.0.0"}),
        (answer_rules.version_from("0.6.4"), {"version": "0.18.0-lmstudio"}),
        (answer_rules.version_from("0.13.4", passes_text=True), {"version": "shim"}),
        (answer_rules.version_of_integers, {"version": "v0.18.0-lmstudio"}),
        (answer_rules.lists("name"), models({"name": "a"})),
        (answer_rules.lists("name"), models()),
        (answer_rules.has_tags, models(ENTRY)),
        (answer_rules.complete_entries, models(ENTRY)),
        (answer_rules.complete_running, models(RUNNING)),
        (answer_rules.unique_digests, models(ENTRY, ENTRY | {"digest": "other"})),
        (answer_rules.has_description, {"capabilities": [], "model_info": {}}),
        (answer_rules.has_context, {"model_info": INFO}),
    ],
)
def test_rule_accepts_what_clients_accept(response, rule, body):
    assert rule.fault(response(body)) == ""


@pytest.mark.parametrize(
    ("rule", "body", "fault"),
    [
        (answer_rules.version_from("0.6.4"), {"version": "0.6.2"}, "version 0.6.2 is less than 0.6.4"),
        (answer_rules.version_from("0.6.4"), {"version": "nollama-0.1.0"}, "version nollama-0.1.0 is less than 0.6.4"),
        (
            answer_rules.version_from("0.13.4", passes_text=True),
            {"version": "0.13.3"},
            "version 0.13.3 is less than 0.13.4",
        ),
        (answer_rules.version_from("0.6.4"), {"version": 1}, "there is no version"),
        (answer_rules.version_from("0.6.4"), b"<html>", "there is no version"),
        (answer_rules.version_of_integers, {"version": "0.18.0+x"}, "version '0.18.0+x' is not made of numbers"),
        (answer_rules.lists("name"), {"models": None}, "models is not an array"),
        (answer_rules.lists("name", "model"), models({"name": "a"}), "entries without model"),
        (answer_rules.has_tags, models({"name": "a"}), "a has no tag"),
        (answer_rules.complete_entries, models(ENTRY | {"size": None}), "a:latest: size is None"),
        (answer_rules.complete_entries, models(ENTRY | {"modified_at": ""}), "a:latest: modified_at is ''"),
        (answer_rules.complete_entries, models(ENTRY | {"digest": "short"}), "a:latest: digest is 'short'"),
        (answer_rules.complete_entries, models(ENTRY | {"details": None}), "a:latest: details is None"),
        (answer_rules.complete_running, models(RUNNING | {"context_length": True}), "a:latest: context_length is True"),
        (answer_rules.unique_digests, models(ENTRY, ENTRY), "models share a digest"),
        (answer_rules.has_description, {"capabilities": None, "model_info": {}}, "no list of capabilities"),
        (answer_rules.has_description, {"capabilities": [], "model_info": None}, "no model_info"),
        (
            answer_rules.has_context,
            {"model_info": INFO | {"llama.context_length": None}},
            "its context length is missing",
        ),
        (answer_rules.is_json, b"<html>", "the body is not JSON"),
    ],
)
def test_rule_rejects_what_clients_reject(response, rule, body, fault):
    assert rule.fault(response(body)).startswith(fault)


def test_json_needs_its_content_type():
    answer = ProbeResponse(status=200, headers={"content-type": "text/html"}, body=b"{}")
    assert answer_rules.is_json.fault(answer) == "its type is text/html in place of application/json"


@pytest.mark.parametrize(
    ("allowed", "fault"),
    [
        ("*", ""),
        ("app://a", ""),
        ("", "pages of app://a are not allowed"),
        ("app://b", "pages of app://a are not allowed"),
    ],
)
def test_page_is_allowed_by_name_or_with_a_star(response, allowed, fault):
    rule = answer_rules.allows_origin("app://a")
    assert rule.fault(response(headers={"access-control-allow-origin": allowed})) == fault

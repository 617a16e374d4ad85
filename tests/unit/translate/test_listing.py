"""Models as Ollama lists them: keys, order and types."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model_entries import DATE, DETAIL_KEYS, GEMMA, NOW, PS_KEYS, TAG_KEYS, as_json, entries, entry

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.model import Instance, Model, Support
from flask_shim.translate.ollama import listing
from flask_shim.translate.ollama.listing import FOREVER_NS, digest, to_local, to_ps, to_tags
from flask_shim.translate.ollama.showing import to_show


def test_nothing_is_an_empty_list():
    assert to_tags([]) == {"models": []}
    assert to_ps([], NOW) == {"models": []}


@pytest.mark.parametrize("generation", ApiVersion)
def test_tags_always_have_ollamas_keys_and_types(generation):
    for model in as_json(to_tags(entries(generation)))["models"]:
        assert list(model) == TAG_KEYS
        assert model["name"] == model["model"]
        assert ":" in model["name"]
        assert DATE.fullmatch(model["modified_at"])
        assert type(model["size"]) is int
        assert re.fullmatch(r"[0-9a-f]{64}", model["digest"])
        assert list(model["details"])[:6] == DETAIL_KEYS
        assert [type(model["details"][key]) for key in DETAIL_KEYS] == [str, str, str, list, str, str]
        assert all(model["details"][key] for key in DETAIL_KEYS[1:])
        assert model["capabilities"]


@pytest.mark.parametrize("generation", ApiVersion)
def test_every_model_has_a_digest_of_its_own(generation):
    digests = [digest(one) for one in entries(generation)]
    assert len(set(digests)) == len(digests)


def test_tags_contain_what_the_backend_reports():
    tag = to_tags([GEMMA])["models"][0]
    assert tag == {
        "name": "google/gemma-4-26b-a4b:latest",
        "model": "google/gemma-4-26b-a4b:latest",
        "modified_at": to_local(NOW),
        "size": 17990911801,
        "digest": tag["digest"],
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "gemma4",
            "families": ["gemma4"],
            "parameter_size": "26B-A4B",
            "quantization_level": "Q4_K_M",
            "context_length": 4096,
        },
        "capabilities": ["completion", "vision", "tools", "thinking"],
    }


def test_names_fill_what_the_oldest_backend_leaves_out():
    tag = to_tags(entries(ApiVersion.OPENAI))["models"][0]
    assert tag["details"] == {
        "parent_model": "",
        "format": "gguf",
        "family": "qwen2",
        "families": ["qwen2"],
        "parameter_size": "7B",
        "quantization_level": "unknown",
    }
    assert 3e9 < tag["size"] < 6e9
    assert "vision" in tag["capabilities"]


def test_embedding_models_are_known_by_their_family():
    assert [one["details"]["family"] for one in to_tags(entries(ApiVersion.V1))["models"]][1] == "bert"


def test_tags_are_newest_first_and_otherwise_in_order():
    shown = [
        entry(Model(key=key), modified_ns=NOW + age * 10**9) for key, age in (("a", 0), ("b", 5), ("c", 5), ("d", 1))
    ]
    assert [one["name"] for one in to_tags(shown)["models"]] == ["b:latest", "c:latest", "d:latest", "a:latest"]


CHANGES = {
    "vision": {"vision": Support.YES},
    "tools": {"tools": Support.YES},
    "thinking": {"reasoning": Support.YES},
    "quantization": {"quantization": "Q8_0"},
    "size": {"size_bytes": 5},
    "variant": {"selected_variant": "m@q8_0"},
    "format": {"format": "mlx"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_digest_changes_with_what_a_model_is_and_can(change):
    assert digest(entry(Model(key="m", **change))) != digest(entry())


@pytest.mark.parametrize("change", [{"instances": (Instance("m", 4096),)}, {"display_name": "M"}])
def test_a_digest_does_not_change_with_a_load(change):
    assert digest(entry(Model(key="m", **change))) == digest(entry())


def test_a_digest_stays_the_same_in_every_process():
    assert digest(entry()) == digest(entry(modified_ns=NOW + 1))
    assert digest(entry()) == "be921a2de22da0de88a453519e01866b3d86c5e968198de3ec2d77fe5c10819b"


def test_ps_has_ollamas_keys_and_order():
    shown = as_json(to_ps([(entry(), 60.0), (GEMMA, math.inf), (entry(Model(key="b")), 300.0)], NOW))["models"]
    assert [one["name"] for one in shown] == ["google/gemma-4-26b-a4b:latest", "b:latest", "m:latest"]
    for model in shown:
        assert list(model) == PS_KEYS
        assert list(model["details"]) == DETAIL_KEYS
        assert model["details"]["parent_model"] == ""
        assert model["size_vram"] == model["size"]
        assert DATE.fullmatch(model["expires_at"])
        assert type(model["context_length"]) is int


@pytest.mark.parametrize(
    ("seconds", "ahead_ns"), [(0.0, 0), (300.0, 300 * 10**9), (0.25, 250_000_000), (math.inf, FOREVER_NS)]
)
def test_a_model_expires_when_its_time_is_up(seconds, ahead_ns):
    assert to_ps([(entry(), seconds)], NOW)["models"][0]["expires_at"] == to_local(NOW + ahead_ns)


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({"instances": (Instance("m", 4096), Instance("m:2", 8192)), "max_context_length": 32768}, 4096),
        ({"max_context_length": 32768}, 32768),
        ({"instances": (Instance("m"),), "max_context_length": 32768}, 32768),
        ({}, None),
    ],
)
def test_the_context_is_the_loaded_one_if_there_is_one(fields, length):
    one = entry(Model(key="m", **fields))
    assert to_tags([one])["models"][0]["details"].get("context_length") == length
    assert to_ps([(one, 1.0)], NOW)["models"][0]["context_length"] == (length or 0)
    assert to_show(one)["model_info"].get("unknown.context_length") == length


@pytest.fixture
def zone(monkeypatch):
    """Return a function that moves this machine to another zone."""

    def move(**offset):
        monkeypatch.setattr(listing, "_zone", lambda: timezone(timedelta(**offset)))

    return move


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        ({}, "2026-11-20T09:50:10.734183973Z"),
        ({"hours": -5}, "2026-11-20T04:50:10.734183973-05:00"),
        ({"hours": 5, "minutes": 30}, "2026-11-20T15:20:10.734183973+05:30"),
        ({"hours": 14}, "2026-11-20T23:50:10.734183973+14:00"),
        ({"hours": 15}, "2026-11-21T00:50:10.734183973+15:00"),
        ({"hours": -3, "minutes": -30}, "2026-11-20T06:20:10.734183973-03:30"),
    ],
)
def test_local_dates_tell_their_zone(zone, offset, text):
    zone(**offset)
    assert to_local(NOW + 734183973) == text


def test_a_whole_second_has_no_fraction_in_local_dates(zone):
    zone(hours=1)
    assert to_local(NOW) == "2026-11-20T10:50:10+01:00"


@pytest.mark.parametrize("offset", [{}, {"hours": 14}, {"hours": -12}])
def test_292_years_ahead_can_be_written(zone, offset):
    zone(**offset)
    assert to_local(NOW + FOREVER_NS).startswith("2319-03-0")


def test_this_machines_zone_is_the_one_of_now():
    assert listing._zone().utcoffset(None) == datetime.now().astimezone().utcoffset()


@given(st.integers(0, 2 * FOREVER_NS), st.integers(-14 * 60, 14 * 60))
def test_any_moment_of_six_centuries_is_parsed_back(nanoseconds, minutes):
    zone = listing._zone
    listing._zone = lambda: timezone(timedelta(minutes=minutes))
    try:
        text = to_local(nanoseconds)
    finally:
        listing._zone = zone
    assert DATE.fullmatch(text)
    moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    assert moment - datetime.fromtimestamp(0, timezone.utc) == timedelta(seconds=nanoseconds // 10**9)

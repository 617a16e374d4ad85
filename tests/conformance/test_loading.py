"""Loading, keeping and unloading, as shown by /api/ps (section 6)."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta, timezone

import pytest
from conformance.comparison import lines_of
from conformance.scripted_answers import scripted_lmstudio
from support.demo import Shim
from support.raw_http import exchange

from flask_shim.services import services_of

HELLO = [{"role": "user", "content": "Hello"}]
STORY = [{"role": "user", "content": "Tell me a long story."}]


@pytest.fixture(autouse=True)
def nothing_loaded(demo):
    demo.unload_all()


@pytest.fixture
def running(ask):
    """Return a function that gives what is loaded, by name."""
    return lambda: {model["name"]: model for model in ask("GET", "/api/ps").json["models"]}


def _left(model):
    moment = re.sub(r"\.\d+", "", model["expires_at"]).replace("Z", "+00:00")
    return datetime.fromisoformat(moment) - datetime.now(timezone.utc)


def _chat(ask, **more):
    return ask("POST", "/api/chat", {"model": "plain", "messages": HELLO, "stream": False, **more})


def test_nothing_is_listed_while_nothing_is_loaded(ask):
    assert ask("GET", "/api/ps").text == '{"models":[]}'


@pytest.mark.parametrize(("keep_alive", "seconds"), [("1h", 3600), (300, 300), ("1h30m", 5400)])
def test_a_model_stays_for_the_requested_time(ask, running, keep_alive, seconds):
    _chat(ask, keep_alive=keep_alive)
    assert abs(_left(running()["plain:latest"]) - timedelta(seconds=seconds)) < timedelta(seconds=30)


def test_a_model_kept_forever_stays_for_weeks(ask, running):
    _chat(ask, keep_alive=-1)
    assert _left(running()["plain:latest"]) > timedelta(days=20)


def test_a_model_loaded_forever_expires_in_centuries(ask, running):
    ask("POST", "/api/generate", {"model": "plain", "keep_alive": -1})
    assert _left(running()["plain:latest"]) > timedelta(days=290 * 365)


def test_a_keep_alive_can_be_extended(ask, running):
    ask("POST", "/api/generate", {"model": "plain", "keep_alive": "5m"})
    _chat(ask, keep_alive="2h")
    assert _left(running()["plain:latest"]) > timedelta(minutes=110)


@pytest.mark.parametrize(("first", "second", "minutes"), [("2h", "5m", 5), ("5m", "2h", 5), ("2h", None, 120)])
def test_a_later_request_can_shorten_a_stay_but_not_lengthen_it(ask, running, first, second, minutes):
    _chat(ask, keep_alive=first)
    _chat(ask, keep_alive=second)
    assert abs(_left(running()["plain:latest"]) - timedelta(minutes=minutes)) < timedelta(seconds=30)


def test_the_last_to_expire_is_listed_first(ask):
    for model, keep_alive in (("plain", "1h"), ("tiny-chat", "3h"), ("tiny-think", "2h")):
        ask("POST", "/api/generate", {"model": model, "keep_alive": keep_alive})
    names = [model["name"] for model in ask("GET", "/api/ps").json["models"]]
    assert names == ["tiny-chat:latest", "tiny-think:latest", "plain:latest"]


def test_a_model_is_unloaded_after_its_last_answer(ask, running, until):
    _chat(ask, keep_alive=0)
    until(lambda: not running())


def test_a_request_to_unload_unloads_at_once(ask, running, until):
    _chat(ask)
    assert ask("POST", "/api/generate", {"model": "plain", "keep_alive": 0}).json["done_reason"] == "unload"
    until(lambda: not running())


def test_a_request_to_unload_does_not_cut_an_answer(demo, ask, running, until):
    _chat(ask)
    answers = []
    story = {"model": "plain", "messages": STORY, "options": {"num_predict": 400}}
    telling = threading.Thread(target=lambda: answers.append(ask("POST", "/api/chat", story)))
    telling.start()
    until(lambda: demo.miniature.services.loaded_models.open_generations)
    assert ask("POST", "/api/chat", {"model": "plain", "keep_alive": 0}).json["done_reason"] == "unload"
    telling.join()
    assert lines_of(answers[0])[-1]["eval_count"] == 400
    until(lambda: not running())


def test_a_model_is_loaded_with_the_requested_context(ask, running):
    _chat(ask, options={"num_ctx": 6000})
    assert running()["plain:latest"]["context_length"] == 6000


def test_a_larger_context_reloads_the_model(ask, running):
    _chat(ask, options={"num_ctx": 2048})
    _chat(ask, options={"num_ctx": 5000})
    assert running()["plain:latest"]["context_length"] == 5000


def test_a_context_is_never_larger_than_the_models(ask, running):
    _chat(ask, options={"num_ctx": 131072})
    assert running()["plain:latest"]["context_length"] == 8192


def test_loading_takes_a_part_of_the_whole_time(ask):
    cold, warm = (_chat(ask).json for _ in range(2))
    assert cold["load_duration"] > warm["load_duration"] > 0
    assert all(answer["total_duration"] >= answer["load_duration"] for answer in (cold, warm))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    with scripted_lmstudio() as backend, Shim(backend.url, tmp_path_factory.mktemp("crowded"), max_streams=1) as shim:
        yield shim


BUSY = "server busy, please try again.  maximum pending requests exceeded"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/chat", {}, {"error": BUSY}),
        ("/api/chat", {"stream": False}, {"error": BUSY}),
        (
            "/v1/chat/completions",
            {},
            {"error": {"message": BUSY, "type": "api_error", "param": None, "code": None}},
        ),
    ],
)
def test_one_answer_too_many_is_rejected_with_ollamas_text(crowded, path, body, said):
    with services_of(crowded.app).slots.take():
        reply = exchange(crowded.port, "POST", path, {"model": "plain", "messages": HELLO, **body})
    assert (reply.status, reply.json) == (503, said)


def test_lists_are_answered_during_any_number_of_streams(crowded):
    with services_of(crowded.app).slots.take():
        assert exchange(crowded.port, "GET", "/api/tags").status == 200

import time

import pytest

from flask_shim.errors import RequestCanceled
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.models.slots import Slots
from flask_shim.observability.activity import KEPT_REQUESTS, Activity, to_requests, to_status
from flask_shim.observability.request_context import RequestRecord

SECOND = 1_000_000_000


@pytest.fixture
def requests():
    return set()


@pytest.fixture
def activity(requests):
    return Activity(requests, Slots(4), "http://backend")


def answered(path="/api/chat", **facts):
    """Return the record of an answer: 100 of 300 prompt tokens were cached, 50 tokens in 2 s after 1 s."""
    now = time.perf_counter_ns()
    record = RequestRecord(path=path, status=200, user_agent="ollama-python/0.6", **facts)
    record.set_model("tiny")
    record.sent_ns, record.first_token_ns, record.ended_ns = now - 3 * SECOND, now - 2 * SECOND, now
    record.started_ns = record.sent_ns
    record.set_usage(300, 50, 100)
    return record


def test_an_ended_request_shows_its_speeds(activity):
    activity.note(answered(id="one"))
    (row,) = to_requests(activity.snapshots())["ended"]
    assert (row["id"], row["client"], row["model"], row["outcome"]) == ("one", "Ollama for Python", "tiny", "done")
    assert row["prefill_tokens_per_second"] == pytest.approx(200)
    assert row["decode_tokens_per_second"] == pytest.approx(25)
    assert row["time_to_first_token_seconds"] == pytest.approx(1)


def test_what_is_not_known_is_null(activity, requests):
    requests.add(RequestRecord(path="/api/chat"))
    (row,) = to_requests(activity.snapshots())["running"]
    unknown = ("client", "model", "prompt_tokens", "cached_tokens", "output_tokens", "tokens_per_second")
    assert {row[name] for name in unknown} == {None}


def test_tokens_are_counted_while_they_are_generated(activity, requests):
    record = RequestRecord(path="/api/chat")
    record.count_tokens = lambda: 7
    requests.add(record)
    assert to_requests(activity.snapshots())["running"][0]["output_tokens"] == 7


@pytest.mark.parametrize("path", ["/shim/status", "/health", "/metrics", "/docs/"])
def test_requests_of_the_operator_are_not_shown(activity, requests, path):
    requests.add(RequestRecord(path=path))
    activity.note(RequestRecord(path=path, status=500))
    assert to_requests(activity.snapshots()) == {"running": [], "ended": []}


def test_only_lists_that_failed_are_kept(activity):
    activity.note(RequestRecord(path="/api/tags", status=200))
    activity.note(RequestRecord(path="/api/ps", status=403))
    assert [row["route"] for row in to_requests(activity.snapshots())["ended"]] == ["/api/ps"]


def test_a_bounded_number_is_kept(activity):
    for number in range(KEPT_REQUESTS + 5):
        activity.note(answered(id=str(number)))
    ended = to_requests(activity.snapshots())["ended"]
    assert (len(ended), ended[0]["id"]) == (KEPT_REQUESTS, str(KEPT_REQUESTS + 4))


def test_the_last_error_has_its_remedy(activity):
    record = answered(id="one")
    record.fail(BackendUnavailable("LM Studio does not answer. Start it with: lms server start"))
    activity.note(record)
    error = to_status(activity.snapshots())["last_error"]
    assert (error["request_id"], error["message"]) == ("one", "LM Studio does not answer")
    assert error["remedy"] == "Start it with: lms server start"


def test_rejected_and_canceled_requests_are_no_errors(activity):
    record = answered()
    record.fail(RequestCanceled())
    activity.note(record)
    activity.note(RequestRecord(path="/api/chat", status=400))
    assert to_status(activity.snapshots())["last_error"] is None


def test_the_activity_of_all_workers_is_added_up(activity):
    other = Activity((), Slots(4), "http://backend")
    activity.ask_others = lambda question, argument: [other.answer(question, argument)]
    for each in (activity, other, other):
        each.note(answered())
    status = to_status(activity.snapshots())
    assert status["slots"] == {"total": 8, "in_use": 0, "waiting": 0}
    assert sum(minute["streams"] for minute in status["last_hour"]) == 3
    assert status["last_hour"][-1]["tokens_per_second"] == pytest.approx(25)
    assert len(to_requests(activity.snapshots())["ended"]) == 3


def test_a_request_of_another_worker_is_stopped(activity):
    stopped = []
    record = RequestRecord(id="there", path="/api/chat")
    record.abort = stopped.append
    other = Activity((record,), Slots(4), "http://backend")
    activity.ask_others = lambda question, argument: [other.answer(question, argument)]
    assert activity.cancel("there")
    assert [type(error) for error in stopped] == [RequestCanceled]
    assert not activity.cancel("elsewhere")

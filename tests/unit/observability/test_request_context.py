"""The record of one request: what follows from what was noted."""

from __future__ import annotations

import threading

import pytest

from flask_shim.lmstudio import errors
from flask_shim.observability.request_context import RequestRecord, current, current_id, enter, kind_of, new_id

EVERY_ERROR = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("cls", EVERY_ERROR)
def test_every_failure_has_a_kind_and_backend_errors_are_counted(cls):
    record, failure = RequestRecord(), cls("text")
    record.fail(failure)
    is_backends = issubclass(cls, errors.BackendError)
    assert kind_of(failure).replace("_", "") == cls.__name__.lower()
    assert bool(record.backend_error) is is_backends
    assert record.error == failure.text
    if is_backends:
        assert record.outcome == f"error:{record.backend_error}"


def test_the_text_of_a_bug_is_not_the_clients_business():
    record = RequestRecord()
    record.fail(KeyError("a prompt"))
    assert (record.outcome, record.error, record.backend_error) == ("error:internal", "internal error", "")


@pytest.mark.parametrize(
    ("noted", "outcome"),
    [
        ({"status": 200}, "done"),
        ({"status": 204}, "done"),
        ({"status": 301}, "done"),
        ({"status": 404}, "rejected"),
        ({"status": 503}, "error"),
        ({"status": 200, "is_streamed": True}, "client_disconnected"),
        ({"status": 200, "is_streamed": True, "is_complete": True}, "done"),
    ],
)
def test_without_a_failure_the_ending_follows_from_the_rest(noted, outcome):
    assert RequestRecord(**noted).outcome == outcome


def test_times_and_speed_follow_from_the_moments():
    record = RequestRecord(started_ns=0, first_token_ns=500_000_000, ended_ns=2_500_000_000, tokens_out=100)
    assert (record.seconds, record.first_token_seconds, record.tokens_per_second) == (2.5, 0.5, 50.0)


@pytest.mark.parametrize("noted", [{}, {"tokens_out": 5}, {"first_token_ns": 1, "tokens_out": 0}])
def test_there_is_no_speed_without_tokens_and_a_beginning(noted):
    assert RequestRecord(started_ns=0, ended_ns=9, **noted).tokens_per_second is None


def test_an_answer_in_one_moment_has_a_speed():
    assert RequestRecord(first_token_ns=9, ended_ns=9, tokens_out=1).tokens_per_second == 1e6


def test_only_the_first_token_is_the_first():
    record = RequestRecord(first_token_ns=5)
    record.begin_output()
    assert record.first_token_ns == 5


@pytest.mark.parametrize("wanted", ["", "a b", "x" * 65, "a\n", "\u0661"])
def test_an_unsound_id_is_replaced(wanted):
    assert new_id(wanted) != wanted


def test_a_thread_has_the_record_of_its_own_request_only():
    seen = []
    enter(RequestRecord(id="mine"))
    try:
        thread = threading.Thread(target=lambda: seen.append(current_id()))
        thread.start()
        thread.join()
        assert current().id == "mine"
    finally:
        enter(None)
    assert seen == ["-"]


def test_outside_of_a_request_notes_go_nowhere():
    current().set_model("m")
    assert current().model == ""


QUOTING = "Got 'secret'"


def failing(text, cause):
    """Return a failure of ours that was led to by another."""
    failure = errors.ShimError(text)
    failure.__cause__ = cause
    return failure


def its_own_cause():
    failure = errors.ShimError("odd")
    failure.__cause__ = failure
    return failure


@pytest.mark.parametrize(
    ("failure", "safe_text"),
    [
        (errors.BackendRequestError(QUOTING, log_text="refused"), "refused"),
        (errors.ModelNotFound("model 'x' not found"), "model 'x' not found"),
        (failing(f"pull: {QUOTING}", errors.BackendRequestError(QUOTING, log_text="refused")), "pull: refused"),
        (failing(f"pull: {QUOTING}", failing(QUOTING, errors.BackendRequestError(QUOTING, log_text="no"))), "pull: no"),
        (failing("not there", errors.BackendRequestError(QUOTING, log_text="refused")), "not there"),
        (failing("not there", OSError(QUOTING)), "not there"),
        (its_own_cause(), "odd"),
    ],
)
def test_the_text_for_logs_quotes_no_other_program(failure, safe_text):
    record = RequestRecord()
    record.fail(failure)
    assert (record.error, record.error_safe_text) == (failure.text, safe_text)

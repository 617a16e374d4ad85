"""Which thread answers a request, and what becomes of requests at the end."""

from __future__ import annotations

import threading

import pytest

from flask_shim.serving._waitress.dispatcher import MANY, TaskDispatcher


class Request:
    """A task that runs until it is let go."""

    def __init__(self, *, runs_on=False, error=None):
        self.thread = None
        self.is_canceled = False
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.error = error
        if not runs_on:
            self.may_end.set()

    def service(self):
        self.thread = threading.current_thread()
        self.has_begun.set()
        assert self.may_end.wait(10)
        if self.error:
            raise self.error

    def cancel(self):
        self.is_canceled = True


@pytest.fixture
def dispatcher(until):
    made = TaskDispatcher(3)
    until(lambda: made.is_idle)
    yield made
    made.shutdown()


def run(dispatcher, until, *requests):
    for request in requests:
        dispatcher.add_task(request)
        assert request.has_begun.wait(10)
    until(lambda: dispatcher.is_idle)


def test_the_thread_that_was_busy_last_gets_the_next_request(dispatcher, until):
    requests = [Request() for _ in range(5)]
    for request in requests:
        run(dispatcher, until, request)
    assert len({request.thread for request in requests}) == 1


@pytest.fixture
def spaced(until):
    """Give a dispatcher whose tasks begin one after another."""
    made = TaskDispatcher(3, start_seconds=1000.0)
    until(lambda: made.is_idle)
    yield made
    made.shutdown()


def test_of_requests_that_arrive_together_the_next_begins_when_the_first_has_ended(spaced, until):
    first, second = Request(runs_on=True), Request()
    spaced.add_task(first)
    assert first.has_begun.wait(10)
    spaced.add_task(second)
    assert spaced.start_waiting() == 1000.0
    assert not second.has_begun.is_set()
    first.may_end.set()
    until(lambda: spaced.is_idle)
    assert second.thread is first.thread


def test_the_next_request_begins_a_moment_later_though_the_first_goes_on(until):
    dispatcher = TaskDispatcher(3, start_seconds=0.001)
    first, second = Request(runs_on=True), Request()
    for request in (first, second):
        dispatcher.add_task(request)
    until(lambda: dispatcher.start_waiting() is None)
    assert second.has_begun.wait(10)
    first.may_end.set()
    dispatcher.shutdown()


def test_of_many_requests_that_wait_two_begin_together(spaced, until):
    requests = [Request(runs_on=True) for _ in range(3 * MANY)]
    for request in requests:
        spaced.add_task(request)
    until(lambda: sum(request.has_begun.is_set() for request in requests) == 2)
    for request in requests:
        request.may_end.set()
    until(lambda: spaced.is_idle)


def test_requests_without_an_idle_thread_wait_in_their_order(dispatcher, until):
    busy = [Request(runs_on=True) for _ in range(3)]
    later = [Request(runs_on=True), Request(runs_on=True)]
    for request in busy + later:
        dispatcher.add_task(request)
    until(lambda: all(request.has_begun.is_set() for request in busy))
    assert not dispatcher.is_idle
    busy[0].may_end.set()
    assert later[0].has_begun.wait(10)
    assert not later[1].has_begun.is_set()
    for request in busy + later:
        request.may_end.set()
    until(lambda: dispatcher.is_idle)
    assert later[1].has_begun.is_set()


def test_a_request_that_fails_ends_no_thread(dispatcher, until, caplog):
    run(dispatcher, until, Request(error=SystemExit("x")))
    run(dispatcher, until, Request())
    assert "a request could not be answered" in caplog.text


def test_shutdown_cancels_waiting_requests_and_awaits_running_ones(caplog):
    dispatcher = TaskDispatcher(1)
    running, waiting = Request(runs_on=True), Request()
    dispatcher.add_task(running)
    assert running.has_begun.wait(10)
    dispatcher.add_task(waiting)
    dispatcher.shutdown(timeout=0.01)
    assert waiting.is_canceled
    assert "1 thread(s) still running" in caplog.text
    running.may_end.set()
    running.thread.join(10)
    assert not running.thread.is_alive()
    assert not waiting.has_begun.is_set()

"""Who gets a slot: at once, or in which order those that wait, and how a wait ends without one."""

from __future__ import annotations

import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from flask_shim.errors import RequestCanceled, ShimError
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import ClientDisconnected, ServerBusy
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.models.routing import Router
from flask_shim.models.slots import BUSY, DRAINING, Anywhere, Slots
from flask_shim.observability.request_context import RequestRecord, current, enter


class Waiting:
    """One request that waits for a slot on a thread of its own."""

    def __init__(self, slots, client, log, try_start=Anywhere, call=None):
        self.call = call or BackendCall()
        self.client = client
        self.record = RequestRecord()
        self.slot = self.failure = None
        self._log = log
        self._thread = threading.Thread(target=self._run, args=(slots, try_start))
        self._thread.start()
        while self.record.queue_seconds is None and self._thread.is_alive():
            pass

    def _run(self, slots, try_start):
        enter(self.record)
        try:
            self.slot = slots.take_in_turn(try_start, self.client, self.call)
            self._log.append(self)
        except ShimError as exc:
            self.failure = exc

    def ended(self):
        self._thread.join(5)
        assert not self._thread.is_alive()
        return self


class Machine:
    """A place with room for some requests."""

    def __init__(self, room):
        self.room = room

    def try_start(self):
        if not self.room:
            return None
        self.room -= 1
        return self

    def release(self):
        self.room += 1


@pytest.fixture
def log():
    """The requests that got a slot, in that order."""
    return []


@pytest.fixture
def opened():
    """Return a function that makes slots with a queue; whatever waits is ended with the test."""
    made = []

    def make(total, max_waiting=64, queue_seconds=60.0):
        made.append(Slots(total, max_waiting=max_waiting, queue_seconds=queue_seconds))
        return made[-1]

    yield make
    for slots in made:
        slots.drain()


def run_all(slots, waiting, log):
    """Release one slot after the other; return the clients in the order in which they got one."""
    for number, _ in enumerate(waiting, 1):
        while len(log) < number:
            pass
        log[-1].slot.release()
    for each in waiting:
        each.ended()
    return [each.client for each in log]


def test_without_a_queue_one_more_is_refused_at_once():
    slots = Slots(1)
    with slots.take_in_turn(Anywhere, "editor", BackendCall()), pytest.raises(ServerBusy, match=BUSY) as refusal:
        slots.take_in_turn(Anywhere, "editor", BackendCall())
    assert refusal.value.retry_after == 1
    assert (slots.in_use, slots.waiting) == (0, 0)


def test_taking_without_a_turn_never_waits(opened):
    slots = opened(1)
    with slots.take(), pytest.raises(ServerBusy, match=BUSY):
        slots.take()


@pytest.mark.parametrize(
    ("arrivals", "order"),
    [
        ("aaa", "aaa"),
        ("aaab", "baaa"),
        ("aaabbc", "bcabaa"),
    ],
)
def test_clients_take_turns(opened, log, arrivals, order):
    slots = opened(1)
    first = slots.take_in_turn(Anywhere, "a", BackendCall())
    waiting = [Waiting(slots, client, log) for client in arrivals]
    first.release()
    assert "".join(run_all(slots, waiting, log)) == order
    assert (slots.in_use, slots.waiting) == (0, 0)


def test_client_with_fewer_running_requests_is_next(opened, log):
    slots = opened(2)
    held = [slots.take_in_turn(Anywhere, "agent", BackendCall()) for _ in range(2)]
    agent, *editor = [Waiting(slots, client, log) for client in ("agent", "editor", "editor")]
    held[0].release()
    editor[0].ended().slot.release()
    assert editor[1].ended().slot is not None
    assert agent.slot is None


def test_new_request_cannot_overtake_those_that_wait(opened, log):
    slots, desktop = opened(4), Machine(1)
    desktop.try_start()
    waiting = [Waiting(slots, client, log, desktop.try_start) for client in ("agent", "editor")]
    assert (slots.waiting, slots.in_use) == (2, 0)
    with slots.take_in_turn(Machine(1).try_start, "browser", BackendCall()):
        assert slots.waiting == 2
    desktop.release()
    slots.start_waiting()
    assert run_all(slots, waiting, log) == ["agent", "editor"]
    assert desktop.room == 1


def test_request_that_can_start_elsewhere_passes_its_own_client(opened, log):
    slots, desktop, laptop = opened(4), Machine(0), Machine(1)
    held = slots.take_in_turn(laptop.try_start, "agent", BackendCall())
    first = Waiting(slots, "agent", log, desktop.try_start)
    second = Waiting(slots, "agent", log, laptop.try_start)
    held.release()
    assert second.ended().slot.place is laptop
    assert first.slot is None


class Computer:
    """A model at an LM Studio with room for one request, as the router sees them."""

    max_streams, priority, is_preferred, name = 1, 0, True, "desktop"
    key, is_loaded, instances, models = "tiny", True, (), ()

    def __init__(self):
        self.backend = self.model = self.listing = self
        self.running = Counter()

    @property
    def is_full(self):
        return self.running.total() >= 1


def test_place_that_a_request_leaves_for_another_is_free_at_once(opened, log):
    slots = opened(4)
    router, desktop, laptop = Router(slots.start_waiting), Computer(), Computer()

    def start_at(*places):
        return lambda: router.start(SimpleNamespace(places=places), None)

    moving = slots.take_in_turn(start_at(desktop, laptop), "agent", BackendCall())
    waiting = Waiting(slots, "editor", log, start_at(desktop))
    assert moving.place.move()
    assert waiting.ended().slot.place.target is desktop


def test_waiting_request_starts_in_its_own_context(opened, log):
    slots, asked = opened(1), []

    def try_start():
        asked.append(current().id)
        return Anywhere()

    held = slots.take_in_turn(Anywhere, "agent", BackendCall())
    waiting = Waiting(slots, "editor", log, try_start)
    waiting.record.id = "mine"
    held.release()
    waiting.ended()
    assert asked == ["mine"]


def test_failure_to_start_ends_only_its_own_request(opened, log):
    slots = opened(1)
    held = slots.take_in_turn(Anywhere, "agent", BackendCall())

    def fail():
        raise ShimError("no machine has the model")

    failing = Waiting(slots, "editor", log, fail)
    other = Waiting(slots, "editor", log)
    held.release()
    assert failing.ended().failure.text == "no machine has the model"
    assert other.ended().slot is not None


def test_full_queue_rejects_the_last_of_the_client_with_most(opened, log):
    slots = opened(1, max_waiting=3)
    with slots.take_in_turn(Anywhere, "agent", BackendCall()):
        many = [Waiting(slots, "agent", log) for _ in range(4)]
        assert many[3].ended().failure.text == BUSY
        editor = Waiting(slots, "editor", log)
        assert many[2].ended().failure.text == BUSY
        assert slots.waiting == 3
    assert editor.ended().slot is not None


def test_wait_ends_after_its_time(opened, log):
    slots = opened(1, queue_seconds=0.01)
    with slots.take():
        failure = Waiting(slots, "editor", log).ended().failure
    assert (failure.text, failure.status, failure.retry_after) == (
        "server busy, please try again: no slot was free for 0.01 s",
        503,
        5,
    )
    assert slots.waiting == 0


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        (lambda _, call: call.cancel(RequestCanceled()), RequestCanceled),
        (lambda _, call: call.cancel(ClientDisconnected()), ClientDisconnected),
        (lambda slots, _: slots.drain(), ServerBusy),
    ],
    ids=["cancel", "disconnect", "drain"],
)
def test_wait_ends_without_a_slot(opened, log, end, failure):
    slots = opened(1)
    with slots.take():
        waiting = Waiting(slots, "editor", log)
        end(slots, waiting.call)
        assert type(waiting.ended().failure) is failure
        assert slots.waiting == 0
    assert slots.in_use == 0


def test_draining_rejects_new_requests(opened):
    slots = opened(1)
    slots.drain()
    for take in (slots.take, lambda: slots.take_in_turn(Anywhere, "editor", BackendCall())):
        with pytest.raises(ServerBusy, match=DRAINING):
            take()


def test_waiting_thread_ticks_and_releases_a_late_slot(opened, log):
    slots, desktop = opened(1), Machine(1)
    held = slots.take_in_turn(Anywhere, "agent", BackendCall())

    def tick():
        held.release()  # so the request gets its slot in the moment in which its client turns out to be gone
        raise ClientDisconnected

    waiting = Waiting(slots, "editor", log, desktop.try_start, BackendCall(ticks=Ticks(1, tick)))
    assert isinstance(waiting.ended().failure, ClientDisconnected)
    assert (slots.in_use, desktop.room) == (0, 1)


def test_record_of_a_waiting_request_has_its_wait(opened, log):
    slots = opened(1)
    with slots.take():
        waiting = Waiting(slots, "editor", log)
        assert waiting.record.phase == "queued"
    record = waiting.ended().record
    assert record.phase == "answering"
    assert record.queue_seconds > 0


def test_slot_is_released_once(opened):
    slots = opened(2)
    slot, _ = slots.take(), slots.take()
    slot.release()
    slot.release()
    assert slots.in_use == 1

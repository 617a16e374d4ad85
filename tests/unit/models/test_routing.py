"""Which of several LM Studios answers a request."""

from __future__ import annotations

from functools import partial

import pytest

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.lmstudio.model import Instance, Model
from flask_shim.models.backends import Backend
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.routing import Rank, Router, conversation_of, reason_for
from flask_shim.translate.ollama.listing import Entry

PARALLEL = 2


def place(name, *, loaded=("a",), model="a", running=0, **more):
    """Return ``model`` at a machine that has these models loaded and so many requests running."""
    models = [
        Model(key=key, instances=(Instance(key, 4096, parallel=PARALLEL),) if key in loaded else ())
        for key in ("a", "b")
    ]
    backend = Backend(client=None, loader=None, name=name, **more)
    if running:
        backend.running[loaded[0]] = running
    [mine] = [each for each in models if each.key == model]
    return ResolvedModel(
        name=model,
        entry=Entry(name=model, model=mine, modified_ns=0),
        identifier=model,
        backend=backend,
        listing=Listing(ApiVersion.V1, tuple(models), 0.0),
    )


class Requests:
    """Requests for one model at several machines, counted from the first on."""

    def __init__(self, *places):
        first, *others = places
        self.target = ResolvedModel(
            name=first.name,
            entry=first.entry,
            identifier=first.identifier,
            backend=first.backend,
            listing=first.listing,
            others=tuple(others),
        )
        self.router = Router()

    def start(self, conversation=None):
        """Begin one; return its placement."""
        return self.router.start(self.target, conversation)

    def chosen(self, conversation=None):
        """Return the name of the machine that gets the next one."""
        placement = self.start(conversation)
        return placement.target.backend.name if placement else None


def at(name, **facts):
    """Return a function that makes a place; requests at a machine are counted in it."""
    return partial(place, name, **facts)


FIRST_CHOICE = {
    "where it is loaded": [at("cold", loaded=()), at("best")],
    "where it is loaded, though another has priority": [at("cold", loaded=(), priority=9), at("best")],
    "where a place is free": [at("full", running=PARALLEL), at("best", running=1)],
    "fewest in flight": [at("busy", running=1), at("best")],
    "fewest by capacity": [at("small", running=1), at("best", running=1, max_streams=8)],
    "priority": [at("other"), at("best", priority=1)],
    "priority when all is loaded nowhere": [at("other", loaded=()), at("best", loaded=(), priority=1)],
    "not where another model is in use": [
        at("swap", loaded=("b",), running=1, priority=1),
        at("best", loaded=()),
    ],
    "the queue of the one rather than a swap": [
        at("swap", loaded=("b",), running=1, priority=1),
        at("best", running=PARALLEL + 1),
    ],
    "not where another model is loaded": [at("swap", loaded=("b",), priority=1), at("best", loaded=())],
    "an idle machine loads it before others queue": [at("full", running=PARALLEL), at("best", loaded=())],
    "not where it is drained": [at("drained", is_draining=True, priority=1), at("best", running=1)],
    "not where it failed": [at("failed", failure=BackendUnavailable("away"), priority=1), at("best")],
    "not above its most streams": [at("limited", running=1, max_streams=1), at("best", running=PARALLEL)],
}


@pytest.mark.parametrize("machines", FIRST_CHOICE.values(), ids=FIRST_CHOICE)
def test_a_request_is_sent_to_the_best_machine(machines):
    assert Requests(*(make() for make in machines)).chosen() == "best"
    assert Requests(*(make() for make in reversed(machines))).chosen() == "best"


def test_requests_are_spread_evenly():
    requests = Requests(*(place(str(number)) for number in range(5)))
    assert sorted(requests.chosen() for _ in range(15)) == [str(number) for number in range(5) for _ in range(3)]


def test_a_conversation_stays_at_its_machine():
    requests = Requests(place("one"), place("two", priority=1))
    assert requests.chosen() == "two"
    first = requests.start(conversation=7)
    first.release()
    assert first.target.backend.name == "one"
    requests.start().release()
    assert [requests.chosen(conversation=7) for _ in range(1)] == ["one"]


def test_a_conversation_leaves_a_machine_that_is_full():
    requests = Requests(place("one"), place("two"))
    names = [requests.chosen(conversation=7) for _ in range(2 * PARALLEL)]
    assert names == [names[0]] * PARALLEL + [names[-1]] * PARALLEL
    assert names[0] != names[-1]


def test_many_requests_of_one_conversation_do_not_queue_at_one_machine():
    requests = Requests(*(place(str(number)) for number in range(4)))
    names = [requests.chosen(conversation=7) for _ in range(100)]
    assert max(names.count(name) for name in names) <= 25 + PARALLEL


def test_a_conversation_is_forgotten_where_its_model_is_not_loaded():
    busy, idle = place("busy"), place("idle", loaded=())
    requests = Requests(busy, idle)
    assert requests.chosen(conversation=7) == "busy"
    gone, idle = place("busy", loaded=("b",), running=1), place("idle", loaded=())
    requests.router._known[7] = gone.backend
    later = Requests(gone, idle)
    later.router = requests.router
    assert later.chosen(conversation=7) == "idle"


def test_models_in_turn_are_not_loaded_over_each_other():
    def at(name, model, loaded, priority):
        return place(name, loaded=loaded, model=model, priority=priority)

    loaded = {"preferred": (), "other": ()}
    loads = []
    for model in "abababab":
        requests = Requests(at("preferred", model, loaded["preferred"], 1), at("other", model, loaded["other"], 0))
        name = requests.chosen()
        if model not in loaded[name]:
            loads.append(model)
            loaded[name] = (model,)  # LM Studio keeps one model that it loaded just in time
    assert loads == ["a", "b"]


def test_a_request_moves_on_but_never_back():
    requests = Requests(place("one", priority=2), place("two", priority=1), place("three"))
    placement = requests.start()
    names = [placement.target.backend.name]
    while placement.move():
        names.append(placement.target.backend.name)
    assert names == ["one", "two", "three"]
    placement.release()
    assert [each.backend.running.total() for each in requests.target.places] == [0, 0, 0]


def test_nothing_is_chosen_when_all_are_full():
    assert Requests(place("one", running=1, max_streams=1), place("two", running=1, max_streams=1)).chosen() is None


def test_a_conversation_is_known_by_its_turns_to_the_first_user_turn():
    head = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    later = [*head, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "More"}]
    assert conversation_of({"messages": head}) == conversation_of({"messages": later})
    assert conversation_of({"messages": head}) != conversation_of({"messages": [head[1]]})


@pytest.mark.parametrize("messages", [["x"], [None], [1, {"role": "user"}], []])
def test_turns_that_are_no_objects_are_left_to_lm_studio(messages):
    assert isinstance(conversation_of({"messages": messages}), int)


FREE = Rank(has_to_wait=True, is_new_to_it=True, swap=0, load=0.0, priority=0)


@pytest.mark.parametrize(
    ("best", "other", "reason"),
    [
        (FREE._replace(has_to_wait=False), FREE, "the model is loaded and has a free place"),
        (FREE._replace(load=1.0), FREE._replace(swap=1), "no other model is loaded there instead"),
        (FREE, FREE._replace(load=1.0), "it has the least to do"),
        (FREE._replace(priority=-10), FREE, "its priority is the highest"),
        (FREE, FREE._replace(), "it stands first in the file"),
        (FREE, None, "it is the only choice"),
    ],
)
def test_the_reason_names_what_decides(best, other, reason):
    assert reason_for(best, [best, *([other] if other else [])]) == reason

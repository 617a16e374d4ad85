"""Choose the LM Studio that answers a request, and count what runs at each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple

import orjson
from cachetools import TTLCache

from flask_shim.lmstudio import Model
from flask_shim.models.backends import Backend
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current

log = logging.getLogger(__name__)

CONVERSATIONS = 4096
CONVERSATION_SECONDS = 3600.0
"""How many conversations, and for how long after their last request, are sent to the LM Studio that knows them."""

USUAL_PARALLEL = 4
"""How many requests LM Studio answers at the same time, unless it says otherwise (0.4's default)."""


class Rank(NamedTuple):
    """Why one place is better than another; the smallest is the best."""

    has_to_wait: bool
    """Whether the model is not loaded there, or already answers as many requests as it can."""
    is_new_to_it: bool
    """Whether the conversation was answered elsewhere, or nowhere: its prompt is in no cache there."""
    swap: int
    """1 if another model is loaded there instead, 2 if that is in use."""
    load: float
    priority: int


def rank(place: ResolvedModel, load: float, known: Backend | None) -> Rank:
    """Return the rank of one place for a request whose conversation was answered by ``known``."""
    backend, model = place.backend, place.model
    running = backend.running.get(model.key, 0)
    is_loaded = model.is_loaded or running > 0  # the first of them loads it
    swap = 0
    if not is_loaded:
        swap = 2 if backend.running else int(any(other.is_loaded for other in place.listing.models))
    return Rank(
        not is_loaded or (running > 0 and running >= capacity(model)),
        not is_loaded or backend is not known,
        swap,
        load,
        -backend.priority,
    )


def capacity(model: Model) -> int:
    """Return how many requests a backend answers with this model at the same time."""
    return sum(copy.parallel or USUAL_PARALLEL for copy in model.instances) or USUAL_PARALLEL


def is_full(backend: Backend) -> bool:
    """Return whether as many requests run there as may."""
    return backend.max_streams is not None and backend.running.total() >= backend.max_streams


def load_of(place: ResolvedModel) -> float:
    """Return how many requests run at a backend, in relation to what it can do at the same time."""
    running = place.backend.running
    return running.total() / (place.backend.max_streams or capacity(place.model)) if running else 0.0


def ranks_of(places: Sequence[ResolvedModel], known: Backend | None = None) -> dict[ResolvedModel, Rank]:
    """Return the ranks of the places that may answer a request whose conversation was answered by ``known``."""
    preferred = [place for place in places if place.backend.is_preferred]
    loads = {place: load_of(place) for place in preferred or places if not is_full(place.backend)}
    # Another one is faster than a prompt cache with a queue. Requests that merely begin alike are spread, too.
    most = min(loads.values(), default=0.0) + 1
    if known is not None and any(place.backend is known and load >= most for place, load in loads.items()):
        known = None
    return {place: rank(place, load, known) for place, load in loads.items()}


@dataclass(slots=True, eq=False)
class Placement:
    """A request's place at one of the LM Studios that have its model; only :meth:`Router.start` makes them."""

    _router: Router
    places: Sequence[ResolvedModel]
    conversation: int | None
    target: ResolvedModel = field(init=False)
    """The model at the LM Studio that was chosen."""
    tried: list[Backend] = field(default_factory=list)

    def move(self) -> bool:
        """Go to the next best LM Studio; return False, and stay, if none is left that has a free place."""
        before = self.target
        self.tried.append(before.backend)
        if not self._router.place(self):
            return False
        self._router.leave(before)
        self._router.on_free()
        return True

    def release(self) -> None:
        """Give the place back."""
        self._router.leave(self.target)


class Router:
    """Chooses among the LM Studios that have a model. Safe to use from any thread."""

    def __init__(self, on_free: Callable[[], None] = lambda: None) -> None:
        """Call ``on_free`` when a request has left a place for another one, and not when it ends."""
        self.on_free = on_free
        self._lock = threading.Lock()
        self._known: TTLCache[int, Backend] = TTLCache(CONVERSATIONS, CONVERSATION_SECONDS, timer=time.monotonic)

    def start(self, target: ResolvedModel, conversation: int | None) -> Placement | None:
        """Count a request at the best place for it; return None if all are full."""
        placement = Placement(self, target.places, conversation)
        return placement if self.place(placement) else None

    def leave(self, place: ResolvedModel) -> None:
        """Count a request less."""
        running, key = place.backend.running, place.model.key
        with self._lock:
            running[key] -= 1
            if not running[key]:
                del running[key]

    def place(self, placement: Placement) -> bool:
        """Count a request at the best place that it has not tried, and set its target; return False without one."""
        with self._lock:
            place = self._best(placement) if len(placement.places) > 1 else placement.places[0]
            if place is None or is_full(place.backend) or place.backend in placement.tried:
                return False
            place.backend.running[place.model.key] += 1
        placement.target = place
        current().backend = place.backend.name
        return True

    def _best(self, placement: Placement) -> ResolvedModel | None:
        conversation = placement.conversation
        known = self._known.get(conversation) if conversation is not None else None
        ranks = ranks_of([place for place in placement.places if place.backend not in placement.tried], known)
        if not ranks:
            return None
        best = min(ranks, key=ranks.__getitem__)
        if conversation is not None:
            self._known[conversation] = best.backend
        reason = reason_for(ranks[best], ranks.values())
        log.debug("model=%s backend=%s of %d: %s", best.model.key, best.backend.name, len(placement.places), reason)
        current().reasons["backend"] = f"{best.backend.name}: {reason}"
        return best


def conversation_of(payload: Mapping[str, Any]) -> int | None:
    """Return a number that the requests of one conversation share: that of its first messages up to the user's."""
    messages = payload.get("messages")
    if not isinstance(messages, list):
        return None
    # LM Studio refuses messages of another type; that is not decided here.
    before = takewhile(lambda turn: not (isinstance(turn, Mapping) and turn.get("role") == "user"), messages)
    return hash(orjson.dumps(messages[: sum(1 for _ in before) + 1]))


def reason_for(best: Rank, ranks: Iterable[Rank]) -> str:
    """Return why the place with the best of these ranks was chosen."""
    facts: Iterable[tuple[bool, str]] = (
        (not best.has_to_wait, "the model is loaded and has a free place"),
        (not best.is_new_to_it, "it has answered this conversation before"),
        (best.swap == 1, "all others are worse, although another model is loaded there"),
        (best.swap == 2, "all others are worse, although another model is in use there"),
    )
    known = ", ".join(text for is_so, text in facts if is_so)
    return known or _decisive(best, min((rank for rank in ranks if rank is not best), default=None))


def _decisive(best: Rank, second: Rank | None) -> str:
    """Return what decides between two places that are alike in what matters most."""
    if second is None:
        return "it is the only choice"
    if second.swap > best.swap:
        return "no other model is loaded there instead"
    if second.load > best.load:
        return "it has the least to do"
    return "its priority is the highest" if second.priority > best.priority else "it stands first in the file"

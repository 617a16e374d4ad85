"""Which of several LM Studios answers a request, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator

from flask_shim.cli.running_shim import open_shim
from flask_shim.cli.setting_options import CommandError
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.models.backends import Backend
from flask_shim.models.pool import Backends
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.routing import Rank, ranks_of, reason_for


def count_running(backends: Backends, options: dict[str, str | None]) -> bool:
    """Count the requests of the shim that runs where the settings say; return whether one does."""
    try:
        with open_shim("", options) as shim:
            running = shim.get("/shim/requests")["running"]
    except CommandError:
        return False
    by_name = {backend.name: backend for backend in backends}
    for row in running:
        # A request that waits for a slot has no machine yet, and a shim with other settings has others.
        if row["model"] and (backend := by_name.get(row["backend"])) is not None:
            backend.running[row["model"]] += 1
    return True


def explain_machines(backends: Backends, target: ResolvedModel) -> Iterator[str]:
    """Yield a line for each LM Studio, first for the one that would answer for this model now."""
    ranks = ranks_of(target.places)
    best = min(ranks, key=ranks.__getitem__, default=None)
    if best is not None:
        yield f"{best.backend.name} answers for {target.entry.name}: {reason_for(ranks[best], ranks.values())}."
    reasons = {backend: _why_not(backend, target) for backend in backends}
    if best is not None:
        reasons |= {place.backend: _why_worse(place, rank, ranks[best]) for place, rank in ranks.items()}
        del reasons[best.backend]
    width = max(len(backend.name) for backend in backends)
    for backend, reason in reasons.items():
        yield f"  {backend.name:<{width}}  {reason}"


def _why_worse(place: ResolvedModel, rank: Rank, best: Rank) -> str:
    """Return the first thing that decides between a place and the best one."""
    if rank.has_to_wait > best.has_to_wait:
        return "answers as many requests as it can" if place.model.is_loaded else "the model is not loaded there"
    if rank.swap > best.swap:
        return f"another model is {'in use' if rank.swap == 2 else 'loaded'} there"
    if rank.load > best.load:
        return "more requests run there"
    return "its priority is lower" if rank.priority > best.priority else "it stands later in the file"


def _why_not(backend: Backend, target: ResolvedModel) -> str:
    """Return why an LM Studio is not among those to choose from."""
    if target.machine:
        return f"the name of the model asks for {target.machine}"
    if backend.is_draining:
        return "gets no requests: drain is true for it"
    if backend.failure is not None:
        why = backend.failure.why if isinstance(backend.failure, BackendUnavailable) else backend.failure.text
        sleeps = "; it is woken only for a model that no other one has" if backend.is_asleep else ""
        return f"does not answer ({why}){sleeps}"
    if any(place.backend is backend for place in target.places):
        return f"answers {backend.max_streams} requests already, as many as max_streams allows"
    return "does not have the model"

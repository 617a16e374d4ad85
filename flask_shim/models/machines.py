"""Several LM Studios by name: the one that a model's name names, where each model is, and the figures of each."""

from __future__ import annotations

from collections.abc import Iterator

from flask_shim.lmstudio import Model
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.models.backends import Backend
from flask_shim.models.pool import Backends


def addressed(backends: Backends, name: str) -> tuple[Backend | None, str]:
    """Split ``NAME/model`` into the LM Studio of that name and the rest; if it names none, return None and it all."""
    machine, _, rest = name.partition("/")
    for backend in backends:
        if rest and backend.name and backend.name == machine.lower():
            return backend, rest
    return None, name


def places_by_model(backends: Backends, listing: Listing) -> dict[str, list[tuple[Backend, Model]]]:
    """Return each model of a list, by its key, at every LM Studio that has it; empty if the shim uses only one."""
    found: dict[str, list[tuple[Backend, Model]]] = {}
    if len(backends) > 1:
        for backend, own in backends.lists_of(listing):
            for model in own.models:
                found.setdefault(model.key, []).append((backend, model))
    return found


def measure(backends: Backends) -> Iterator[tuple[str, bool, int, int]]:
    """Yield, for each: its name, whether it accepts connections, its connections, its generations."""
    for backend in backends:
        is_up = backend.failure is None and backend.client.is_reachable()
        if not is_up and backend.failure is None:  # so that the next scrape does not wait for it
            backends.failed(backend, BackendUnavailable("it accepts no connections"))
        yield backend.name, is_up, backend.client.open_connections, backend.running.total()

"""Wake machines for requests that need them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.models.backends import Backend
from flask_shim.models.pool import Backends
from flask_shim.observability.request_context import current

log = logging.getLogger(__name__)

WAKE_SECONDS = 180.0
"""How long a request waits for a machine that is woken; one that was off has to boot."""

LOOK_SECONDS = 1.0
"""How often it is asked for its models meanwhile."""


def never_seen(backends: Backends, name: str) -> list[Backend]:
    """Return those that can be woken, have not listed their models yet, and may have the one of that name."""
    named, _ = backends.split_name(name)
    candidates = backends if named is None else (named,)
    return [each for each in candidates if each.is_asleep and each.last_listing is None and not each.is_draining]


def wake(backends: Backends, machines: Sequence[Backend], call: BackendCall) -> None:
    """Wake machines, unless one is awake, and wait until one lists its models; raise BackendUnavailable otherwise."""
    record, ends_at = current(), time.monotonic() + WAKE_SECONDS
    phase, record.phase = record.phase, "waking a machine"
    try:
        while all(backend.is_asleep for backend in machines):
            failures = [failure for backend in machines if (failure := _wake(backend, call)) is not None]
            if len(failures) == len(machines):
                raise failures[0]
            if time.monotonic() > ends_at:
                names = ", ".join(backend.name for backend in machines)
                raise BackendUnavailable(f"{names} was woken, but does not answer within {WAKE_SECONDS:g} s")
            for backend in machines:
                backends.request_list(backend)
            call.pause(LOOK_SECONDS)
    finally:
        record.phase = phase


def _wake(backend: Backend, call: BackendCall) -> BackendUnavailable | None:
    """Wake one machine, unless that was done a moment ago; return why it cannot be woken."""
    try:
        if backend.waker is not None and backend.waker.wake(call):
            log.info("backend=%s is woken", backend.name)
    except BackendUnavailable as exc:
        return exc
    return None

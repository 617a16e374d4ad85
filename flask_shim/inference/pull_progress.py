"""Follow the download of a model, and report "success" once the model is usable."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing

from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, Model
from flask_shim.lmstudio.downloads import Download
from flask_shim.lmstudio.errors import ClientDisconnected
from flask_shim.lmstudio.readiness import SETTLE_SECONDS
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.slots import draining_error
from flask_shim.models.waking import wake
from flask_shim.services import Services
from flask_shim.translate.ollama.alias import copied, is_alias_name, plain
from flask_shim.translate.ollama.listing import digest
from flask_shim.translate.ollama.pull_records import BEGIN, END, PullTarget, Step, pulled_model, pulling, to_pull_target

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25

Steps = Generator[Step, None, None]


class Pull:
    """A pull of a name that LM Studio does not have yet. Of several, ``NAME/`` names one, otherwise it is the first."""

    def __init__(self, services: Services, name: str) -> None:
        backend, model = services.backends.split_name(name)
        self._services = services
        self._backend = backend or services.backends.first
        self._name = name
        self._own_name = model
        self._wanted = to_pull_target(model)

    def steps(self, call: BackendCall) -> Steps:
        """Download the model and yield Ollama's records.

        Ends when the client disconnects; LM Studio continues the download, and the next pull follows the same one.
        """
        yield BEGIN
        wake(self._services.backends, (self._backend,), call)
        client = self._backend.client
        with closing(client.download(self._wanted.model, self._wanted.quantization, call=call)) as states:
            state = _start(states)
            while state is not None:
                if self._services.slots.draining:
                    raise draining_error()
                yield self._record(state)
                state = next(states, None)
        yield from END[:-1]
        self._wait_until_usable(call)
        yield END[-1]

    def _record(self, state: Download) -> Step:
        total, done = state.total_bytes, state.done_bytes
        if state.is_complete:
            if total is None and (model := self._listed()) is not None:
                total = model.size_bytes
            done = total
        step = pulling(self._wanted.digest, total, done)
        return {**step, "status": f"waiting for LM Studio: {state.error}"} if state.error else step

    def _listed(self) -> Model | None:
        return pulled_model(self._wanted, self._backend.client.listing(max_age=0).models)

    def _wait_until_usable(self, call: BackendCall) -> None:
        """Wait until the pulled name is usable: clients send it as soon as they read "success"."""
        ends_at = time.monotonic() + SETTLE_SECONDS
        while not self._is_usable():
            if time.monotonic() > ends_at:
                log.warning("pulled model=%s, but LM Studio does not list it by that name", self._name)
                return
            call.pause(_POLL_SECONDS)

    def _is_usable(self) -> bool:
        """Return whether the name is known; one that LM Studio lists differently becomes an alias."""
        try:
            model = self._listed()
            if self._services.registry.find(self._name) is not None:
                return True
            if model is None or not is_alias_name(self._own_name):
                return False
            source = plain(model, _identifier(self._wanted, model))
            self._services.aliases.put(copied(source, self._own_name, time.time_ns()))
        except ShimError as exc:  # the download itself has succeeded
            log.warning("pulled model=%s cannot be looked up: %s", self._name, exc.text)
            return False
        log.info("pulled model=%s is %s", self._name, model.key)
        return True


def already_pulled(target: ResolvedModel) -> Steps:
    """Yield Ollama's records for a model that LM Studio has."""
    size = target.model.size_bytes
    yield BEGIN
    yield pulling(digest(target.entry), size, size)
    yield from END


def _start(states: Generator[Download, None, None]) -> Download | None:
    try:
        return next(states, None)
    except ClientDisconnected:
        raise
    except ShimError as exc:
        raise ShimError(f"pull model manifest: {exc.text}") from exc


def _identifier(wanted: PullTarget, model: Model) -> str:
    """Return the variant that was pulled; the key if LM Studio lists no variants."""
    variant = (wanted.quantization or wanted.model.partition("@")[2]).lower()
    return next((text for text in model.variants if variant and text.lower().endswith(f"@{variant}")), model.key)

"""One request's use of its model: loaded before, kept meanwhile, and asked once more where that helps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, TypeVar

from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import ModelEvicted, NoModelLoaded, UnsupportedReasoningEffort
from flask_shim.models.loader import ModelLoader, ModelRequirements
from flask_shim.translate.ollama.payloads import Payload

log = logging.getLogger(__name__)

T = TypeVar("T")


class ModelUse:
    """A place among the model's users, from :meth:`open` to :meth:`close`. ``call`` is what the request is sent with.

    ``is_cold`` says whether the model is loaded by the request itself; the turn is held until its answer begins,
    because LM Studio loads a copy of the model for each of several simultaneous first requests.
    """

    def __init__(
        self, loader: ModelLoader, requirements: ModelRequirements, call: BackendCall, *, read_only: bool
    ) -> None:
        """Hold nothing yet. With ``read_only`` the model is neither loaded explicitly nor unloaded."""
        self.call = call
        self.is_cold = False
        self._loader = loader
        self._requirements = requirements
        self._read_only = read_only
        self._turn = ExitStack()
        self._place = ExitStack()

    def open(self) -> None:
        """Take a place among the users, after the model was loaded or reloaded if its context requires that."""
        target, loader = self._requirements.target, self._loader
        if not target.listing.generation.reports_state:
            return
        loaded = self._turn.enter_context(loader.turn(target.model.key, self.call))
        self.is_cold = not loader.prepare(self._requirements, loaded, self.call, max_age=None)
        loader.tracker.enter(loaded, self._requirements.keep_alive)
        self._place.callback(loader.tracker.leave, loaded)
        if self.is_cold:
            loaded.is_ours = False  # an earlier load of ours was undone by LM Studio or its user
        else:
            self._turn.close()

    def send(self, send: Callable[[Payload], T], payload: Mapping[str, Any]) -> T:
        """Return ``send(payload)`` with the model's name in the payload.

        ``send`` is called a second time after a failure that this can cure: the model was evicted, nothing is loaded,
        or the reasoning effort was rejected. It must not have sent anything to the client when it raises.
        """
        named = {**payload, "model": self._requirements.target.identifier}
        try:
            answer = send(named)
        except (ModelEvicted, NoModelLoaded, UnsupportedReasoningEffort) as exc:
            answer = send(self._recover(exc, named))
        if self.is_cold:
            self._end_load()
        return answer

    def close(self) -> None:
        """Give the turn and the place back; safe to call twice."""
        self._turn.close()
        self._place.close()

    def _recover(self, failure: ShimError, payload: Payload) -> Payload:
        """Remove the cause of a failure and return the payload for the second attempt; raise what has no cure."""
        if isinstance(failure, UnsupportedReasoningEffort):
            if "reasoning_effort" not in payload:
                raise failure
            log.debug("left out reasoning_effort: %s", failure.text)
            return {key: value for key, value in payload.items() if key != "reasoning_effort"}
        jit_is_off = isinstance(failure, NoModelLoaded)
        if jit_is_off and self._read_only:
            raise failure
        self.close()  # a reload waits until the model has no users
        self._loader.backend.catalogue.expire()
        self.open()
        target = self._requirements.target
        if jit_is_off and (self.is_cold or not target.listing.generation.reports_state):
            self._loader.load_on_demand(self._requirements, self._loader.tracker.of(target.model.key), self.call)
        return payload

    def _end_load(self) -> None:
        loaded = self._loader.tracker.of(self._requirements.target.model.key)
        if self._read_only or loaded.is_ours:
            self._loader.backend.catalogue.expire()
        else:
            self._loader.note_jit_load(self._requirements, loaded)
        self._turn.close()

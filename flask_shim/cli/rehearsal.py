"""Stand-ins for the client of an LM Studio and for its waker, which note what they would do."""

from __future__ import annotations

import json
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio, Model
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.lmstudio.http.session import BackendAdapter, build_session
from flask_shim.lmstudio.wake import Waker
from flask_shim.models.backends import Backend


class NotSent(ShimError):
    """The request ends here instead of at LM Studio."""


class ReadingAdapter(BackendAdapter):
    """An adapter that sends GET requests only."""

    def __init__(self, unsent: list[str]) -> None:
        """``unsent`` gets a line for each other request."""
        super().__init__()
        self._unsent = unsent

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a GET; raise NotSent for any other request."""
        if request.method != "GET":
            self._unsent.append(f"LM Studio gets {request.method} {request.path_url}: {request.body.decode()}")
            raise NotSent("not sent")
        return super().send(request, *args, **kwargs)


class RehearsingLMStudio(LMStudio):
    """A client that reads LM Studio's model lists and sends nothing else."""

    def __init__(self, backend: Backend, loads: list[str], unsent: list[str]) -> None:
        """Stand in for a client of ``backend``; ``loads`` gets a line for each load, ``unsent`` for other changes."""

        def build_reading_session(options: ClientOptions) -> Any:
            session, adapter = build_session(options), ReadingAdapter(unsent)
            for prefix in [*session.adapters]:
                session.mount(prefix, adapter)
            return session

        super().__init__(backend.client.options, build_reading_session, watchdog=backend.client.watchdog)
        self._place = f" on {backend.name}" if backend.name else ""
        self._loads, self._unsent = loads, unsent

    def load(
        self,
        key: str,
        *,
        context_length: int | None = None,
        call: BackendCall | None = None,  # noqa: ARG002  the parameters are those of the base class
        **settings: Any,
    ) -> dict[str, Any]:
        """Note a load."""
        context = {"context_length": context_length} if context_length else {}
        load = json.dumps({"model": key, **context, **settings}, ensure_ascii=False)
        self._loads.append(f"Loads the model first{self._place}: {load}")
        return {}

    def unload(self, model: Model | str, *, call: BackendCall | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Note an unload."""
        self._unsent.append(f"Unloads {model if isinstance(model, str) else model.key}{self._place}.")
        return ()

    def load_just_in_time(self, model: Model, call: BackendCall, *, ttl: int | None = None) -> None:
        """Load nothing."""


class RehearsingWaker(Waker):
    """Notes that a machine would be woken, and does not wake it."""

    def __init__(self, backend: Backend, wakes: list[str]) -> None:
        """Stand in for the waker of ``backend``; ``wakes`` gets a line."""
        super().__init__("", "")
        self._name, self._wakes = backend.name, wakes

    def wake(self, call: BackendCall) -> bool:  # noqa: ARG002  the base class has it
        """Note the attempt; raise BackendUnavailable."""
        self._wakes.append(f"Wakes {self._name} first, and waits until it answers. What follows is not known before.")
        raise BackendUnavailable(f"{self._name} sleeps")

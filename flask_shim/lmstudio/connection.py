"""The connection to one LM Studio: what it lists, and requests whose answers are streamed or whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from flask_shim.lmstudio.catalogue import Listing, ModelListCache
from flask_shim.lmstudio.errors import BackendProtocolError, BackendUnavailable, ModelNotFound
from flask_shim.lmstudio.http.cancellation import BackendCall, Watchdog
from flask_shim.lmstudio.http.event_stream import EventStream
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import BackendResponse
from flask_shim.lmstudio.http.session import build_session
from flask_shim.lmstudio.http.transport import SessionFactory, Transport
from flask_shim.lmstudio.model import Model

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"

NEWS_SECONDS = 5.0
"""A name that is not in the list is looked up in a list no older than this: it may just have been downloaded."""

_MOST_NAMED = 20

Me = TypeVar("Me", bound="Connection")


class Connection:
    """How to ask one LM Studio. Methods may be called from any thread and raise :mod:`flask_shim.lmstudio.errors`."""

    def __init__(self, options: ClientOptions | None = None, session_factory: SessionFactory = build_session) -> None:
        """Connect to nothing yet; ``session_factory`` is the seam for proxies and TLS set-ups of your own."""
        self.options = options or ClientOptions()
        self._transport = Transport(self.options, session_factory)
        self.catalogue = ModelListCache(self._transport, self.options.catalogue_ttl)

    @property
    def watchdog(self) -> Watchdog:
        """The watchdog that looks after this client's calls."""
        return self._transport.watchdog

    @property
    def open_connections(self) -> int:
        """How many requests are being sent or answered, each on a connection."""
        return self._transport.room.taken

    def close(self) -> None:
        """Give up kept connections and threads."""
        self._transport.close()

    def __enter__(self: Me) -> Me:
        """Close at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def listing(self, *, max_age: float | None = None, must_answer: bool = False) -> Listing:
        """Return the model list; see :meth:`Catalogue.listing`."""
        return self.catalogue.listing(max_age=max_age, must_answer=must_answer)

    def models(self) -> tuple[Model, ...]:
        """Return the models on the backend's disk (on the oldest generation: those it lists)."""
        return self.listing().models

    def find(self, name: str, *, max_age: float | None = None) -> Model:
        """Return the model with exactly that key, variant or loaded copy, or raise ModelNotFound.

        LM Studio itself answers with another model to a name it does not know.
        """
        models: tuple[Model, ...] = ()
        for age in dict.fromkeys((max_age, NEWS_SECONDS if max_age is None else 0)):  # one look if both are the same
            models = self.listing(max_age=age).models
            for model in models:
                if name in model.identifiers:
                    return model
        known = ", ".join(model.key for model in models[:_MOST_NAMED]) or "none at all"
        raise ModelNotFound(f"LM Studio at {self.options.base_url} has no model {name!r}; among those it has: {known}")

    def open_completion(self, path: str, payload: Mapping[str, Any], call: BackendCall) -> EventStream:
        """Ask for a streamed completion and return it with its first events read.

        ``payload`` must say ``"stream": true``. Every failure up to the first event is raised here.
        """
        seconds = self.options.first_byte_timeout
        call.allow(seconds, f"LM Studio did not begin to answer within {seconds} s")
        answer = self.open("POST", path, call, orjson.dumps(payload), {"Accept": "text/event-stream"})
        stream = EventStream(answer, self.options)
        try:
            stream.prime()
        except BaseException:
            stream.close()
            raise
        return stream

    def embed(self, payload: Mapping[str, Any], call: BackendCall | None = None) -> dict[str, Any]:
        """Ask for embeddings; return the whole answer."""
        value = self._transport.exchange(
            "POST", EMBEDDINGS, orjson.dumps(payload), timeout=self.options.first_byte_timeout, call=call
        )
        return as_object(value)

    def open(
        self,
        method: str,
        path: str,
        call: BackendCall,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BackendResponse:
        """Send any request and return its answer with whatever status; the answer belongs to the caller."""
        try:
            return self._transport.open(method, path, call, body, headers)
        except BackendUnavailable:
            self.catalogue.lost()
            raise


def as_object(value: Any) -> dict[str, Any]:
    """Return the value if it is a JSON object; raise BackendBroke if it is anything else."""
    if not isinstance(value, dict):
        raise BackendProtocolError("LM Studio's answer is not a JSON object")
    return value

"""LM Studio as the rest of the shim sees it: lists, completions, embeddings, loading. No Flask, no Ollama words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from flask_shim.errors import BackendUnavailable, NotSupported
from flask_shim.lmstudio.answers import Answer
from flask_shim.lmstudio.calls import Call, Watchdog
from flask_shim.lmstudio.catalogue import Catalogue, Listing
from flask_shim.lmstudio.generations import Generation
from flask_shim.lmstudio.link import Link
from flask_shim.lmstudio.model import Model
from flask_shim.lmstudio.session import build_session
from flask_shim.lmstudio.stream import EventStream
from flask_shim.lmstudio.transport import SessionFactory, Transport

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"


class LMStudio:
    """One LM Studio. All methods may be called from any thread and raise exceptions of :mod:`flask_shim.errors`."""

    def __init__(self, link: Link | None = None, session_factory: SessionFactory = build_session) -> None:
        """Connect to nothing yet; ``session_factory`` is the seam for proxies and TLS set-ups of your own."""
        self.link = link or Link()
        self._transport = Transport(self.link, session_factory)
        self.catalogue = Catalogue(self._transport, self.link.catalogue_ttl)

    @property
    def watchdog(self) -> Watchdog:
        """The watchdog that looks after this client's calls."""
        return self._transport.watchdog

    def close(self) -> None:
        """Give up kept connections and threads."""
        self._transport.close()

    def listing(self, *, max_age: float | None = None, must_answer: bool = False) -> Listing:
        """Return the model list; see :meth:`Catalogue.listing`."""
        return self.catalogue.listing(max_age=max_age, must_answer=must_answer)

    def models(self) -> tuple[Model, ...]:
        """Return the models on the backend's disk (on the oldest generation: those it lists)."""
        return self.listing().models

    def open_completion(self, path: str, payload: Mapping[str, Any], call: Call) -> EventStream:
        """Ask for a streamed completion and return it with its first events read.

        ``payload`` must say ``"stream": true``. Every failure up to the first event is raised here.
        """
        seconds = self.link.first_byte_timeout
        call.allow(seconds, f"LM Studio did not begin to answer within {seconds} s")
        answer = self.open("POST", path, call, orjson.dumps(payload), {"Accept": "text/event-stream"})
        stream = EventStream(answer, self.link)
        try:
            stream.prime()
        except BaseException:
            stream.close()
            raise
        return stream

    def embed(self, payload: Mapping[str, Any], call: Call) -> dict[str, Any]:
        """Ask for embeddings; return the whole answer."""
        value = self._transport.exchange(
            "POST", EMBEDDINGS, orjson.dumps(payload), timeout=self.link.first_byte_timeout, call=call
        )
        return dict(value)

    def open(
        self, method: str, path: str, call: Call, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send any request and return its answer with whatever status; the answer belongs to the caller."""
        try:
            return self._transport.open(method, path, call, body, headers)
        except BackendUnavailable:
            self.catalogue.lost()
            raise

    def load(
        self, key: str, *, context_length: int | None = None, call: Call | None = None, **settings: Any
    ) -> dict[str, Any]:
        """Load a model and wait until it is ready; return what the backend says (instance, time, config).

        ``settings`` are LM Studio's other load settings: eval_batch_size, flash_attention, num_experts,
        offload_kv_cache_to_gpu.
        """
        self._need_management("load a model")
        payload: dict[str, Any] = {"model": key, "echo_load_config": True, **settings}
        if context_length:
            payload["context_length"] = context_length
        try:
            value = self._transport.exchange(
                "POST", "/api/v1/models/load", orjson.dumps(payload), timeout=self.link.load_timeout, call=call
            )
        finally:
            self.catalogue.expire()
        return dict(value)

    def unload(self, model: Model) -> None:
        """Unload every loaded instance of the model."""
        self._need_management("unload a model")
        try:
            for instance in model.instances:
                body = orjson.dumps({"instance_id": instance.id})
                self._transport.exchange("POST", "/api/v1/models/unload", body, timeout=self.link.load_timeout)
        finally:
            self.catalogue.expire()

    def _need_management(self, what: str) -> None:
        if self.listing().generation is not Generation.V1:
            raise NotSupported(f"this LM Studio cannot {what} over HTTP: that needs LM Studio 0.4 or later")

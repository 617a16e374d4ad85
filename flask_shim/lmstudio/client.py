"""LM Studio as the rest of the shim sees it: lists, completions, embeddings, loading. No Flask, no Ollama words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from flask_shim.errors import BackendBroke, BackendRefused, BackendUnavailable, NotSupported
from flask_shim.lmstudio.answers import Answer
from flask_shim.lmstudio.calls import Call, Watchdog
from flask_shim.lmstudio.catalogue import Catalogue, Listing
from flask_shim.lmstudio.cli_places import find_tool, is_this_machine
from flask_shim.lmstudio.cli_tool import CliTool
from flask_shim.lmstudio.downloads import Download, Downloads, followed
from flask_shim.lmstudio.generations import Generation
from flask_shim.lmstudio.link import Link
from flask_shim.lmstudio.model import Model
from flask_shim.lmstudio.session import build_session
from flask_shim.lmstudio.stream import EventStream
from flask_shim.lmstudio.transport import SessionFactory, Transport

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
GREETING = "/lmstudio-greeting"


class LMStudio:
    """One LM Studio. All methods may be called from any thread and raise exceptions of :mod:`flask_shim.errors`."""

    def __init__(
        self,
        link: Link | None = None,
        session_factory: SessionFactory = build_session,
        tool: CliTool | None = None,
    ) -> None:
        """Connect to nothing yet; ``session_factory`` is the seam for proxies and TLS set-ups of your own.

        ``tool`` is what does the work of versions before 0.4; without one it is looked for when it is needed, and
        used if the backend is this machine's LM Studio.
        """
        self.link = link or Link()
        self._transport = Transport(self.link, session_factory)
        self.catalogue = Catalogue(self._transport, self.link.catalogue_ttl)
        self._downloads = Downloads(self._transport)
        self._tool = tool

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
        return _object(value)

    def open(
        self, method: str, path: str, call: Call, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send any request and return its answer with whatever status; the answer belongs to the caller."""
        try:
            return self._transport.open(method, path, call, body, headers)
        except BackendUnavailable:
            self.catalogue.lost()
            raise

    def can_manage(self) -> bool:
        """Tell whether models can be loaded, unloaded and downloaded at will: over HTTP, or with the lms tool."""
        return self.listing().generation is Generation.V1 or self.find_tool() is not None

    def load(
        self, key: str, *, context_length: int | None = None, call: Call | None = None, **settings: Any
    ) -> dict[str, Any]:
        """Load a model and wait until it is ready; return what the backend says (instance, time, config).

        ``settings`` are LM Studio's other load settings, which need 0.4: eval_batch_size, flash_attention,
        num_experts, offload_kv_cache_to_gpu. The lms tool says nothing, so there is nothing to return.
        """
        try:
            if (tool := self._instead_of_http("load a model", settings)) is not None:
                tool.load(key, context_length=context_length, call=call)
                return {}
            return self._load(key, context_length, call, settings)
        finally:
            self.catalogue.expire()

    def unload(self, model: Model) -> None:
        """Unload every loaded instance of the model."""
        try:
            if (tool := self._instead_of_http("unload a model")) is not None:
                tool.unload(model.key)
                return
            for instance in model.instances:
                body = orjson.dumps({"instance_id": instance.id})
                self._transport.exchange("POST", "/api/v1/models/unload", body, timeout=self.link.load_timeout)
        finally:
            self.catalogue.expire()

    def download(self, name: str, quantization: str | None = None, *, call: Call | None = None) -> Download:
        """Start to download a model over HTTP; ``quantization`` only goes with an address at Hugging Face."""
        return self._downloads.start(name, quantization, call or Call())

    def download_status(self, job_id: str, *, call: Call | None = None) -> Download:
        """Return how far a download over HTTP is."""
        return self._downloads.status(job_id, call or Call())

    def follow_download(
        self, name: str, quantization: str | None = None, *, call: Call | None = None
    ) -> Generator[Download, None, None]:
        """Download a model, or join its running download; yield how far it is until it is complete, or raise.

        A call that is cancelled ends the watching at once, but not the download: LM Studio cannot be told to.
        """
        call = call or Call()
        try:
            if (tool := self._instead_of_http("download a model")) is not None:
                yield from followed(tool, name, quantization, call)
            else:
                yield from self._downloads.follow(name, quantization, call)
        finally:
            self.catalogue.expire()

    def find_tool(self) -> CliTool | None:
        """Return the lms tool; None if there is none, or if what answers is not this machine's LM Studio."""
        if self._tool is not None:
            return self._tool
        program = find_tool() if is_this_machine(self.link.base_url) else None
        if program is None:
            return None
        with suppress(BackendBroke, BackendRefused, NotSupported):  # another program that speaks OpenAI's API
            greeting = self._transport.exchange("GET", GREETING, timeout=self.link.list_timeout)
            if isinstance(greeting, dict) and greeting.get("lmstudio") is True:
                return CliTool(program, load_timeout=self.link.load_timeout)
        return None

    def _load(
        self, key: str, context_length: int | None, call: Call | None, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": key, "echo_load_config": True, **settings}
        if context_length:
            payload["context_length"] = context_length
        return _object(
            self._transport.exchange(
                "POST", "/api/v1/models/load", orjson.dumps(payload), timeout=self.link.load_timeout, call=call
            )
        )

    def _instead_of_http(self, what: str, settings: Mapping[str, Any] | None = None) -> CliTool | None:
        """Return the tool where HTTP will not do, None where it will; NotSupported where nothing does."""
        if self.listing().generation is Generation.V1:
            return None
        tool = None if settings else self.find_tool()
        if tool is None:
            text = f"this LM Studio cannot {what} over HTTP: that needs LM Studio 0.4 or later"
            raise NotSupported(f"{text}, or its lms tool on this machine" if not settings else text)
        return tool


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BackendBroke("LM Studio's answer is not a JSON object")
    return value

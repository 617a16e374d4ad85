"""LM Studio and all that can be done with it: chats, and models loaded, unloaded, downloaded, made ready."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import orjson

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.chat import Chat, Messages, chat_payload
from flask_shim.lmstudio.connection import CHAT, COMPLETIONS, EMBEDDINGS, Connection, as_object
from flask_shim.lmstudio.downloads import Download, Downloads, follow_with_tool
from flask_shim.lmstudio.errors import BackendProtocolError, BackendRequestError, NoModelLoaded, NotSupported
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.session import build_session
from flask_shim.lmstudio.http.transport import SessionFactory
from flask_shim.lmstudio.lms.locate import find_tool, is_this_machine
from flask_shim.lmstudio.lms.tool import CliTool
from flask_shim.lmstudio.model import Kind, Model

__all__ = ["CHAT", "COMPLETIONS", "EMBEDDINGS", "LMStudio"]

GREETING = "/lmstudio-greeting"


class LMStudio(Connection):
    """A client for one LM Studio. Every method may be called from any thread and raises :class:`LMStudioError` only."""

    def __init__(
        self,
        options: ClientOptions | None = None,
        session_factory: SessionFactory = build_session,
        tool: CliTool | None = None,
    ) -> None:
        """Connect to nothing yet; ``session_factory`` is the seam for proxies and TLS set-ups of your own.

        ``tool`` is what does the work of versions before 0.4; without one it is looked for when it is needed, and
        used if the backend is this machine's LM Studio.
        """
        super().__init__(options, session_factory)
        self._downloads = Downloads(self._transport)
        self._tool = tool

    def chat(self, model: str, messages: Messages, *, call: BackendCall | None = None, **settings: Any) -> Chat:
        """Chat with a model; return the answer while it is made, as an iterator over its pieces.

        ``settings`` are LM Studio's: temperature, max_tokens, tools, response_format, reasoning_effort, ttl and so on.
        The answer belongs to the caller, who reads it to the end or closes it; failures up to its first event are
        raised here. A model that is not loaded is loaded by LM Studio, unless that is switched off there.
        """
        call = call or BackendCall(total_timeout=self.options.total_timeout)
        found = self.find(model)
        with ExitStack() as stack:
            stack.enter_context(self.watchdog.watch(call))
            stream = self.open_completion(CHAT, chat_payload(model, messages, settings), call)
            stack.callback(stream.close)
            if not found.is_loaded:
                self.catalogue.expire()
            return Chat(stream, stack.pop_all())

    def can_manage(self) -> bool:
        """Tell whether models can be loaded, unloaded and downloaded at will: over HTTP, or with the lms tool."""
        return self.listing().generation is ApiVersion.V1 or self.find_tool() is not None

    def load(
        self, key: str, *, context_length: int | None = None, call: BackendCall | None = None, **settings: Any
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

    def unload(self, model: Model | str, *, call: BackendCall | None = None) -> tuple[str, ...]:
        """Unload all copies of a model, or the one copy of that name; return the names of those that were loaded.

        ModelNotFound if a name is neither a key nor a loaded copy.
        """
        try:
            tool = self._instead_of_http("unload a model")
            if tool is not None:
                return tool.unload(model if isinstance(model, str) else model.key, call=call)
            names = self._copies(model) if isinstance(model, str) else tuple(copy.id for copy in model.instances)
            for name in names:
                body, timeout = orjson.dumps({"instance_id": name}), self.options.load_timeout
                self._transport.exchange("POST", "/api/v1/models/unload", body, timeout=timeout, call=call)
            return names
        finally:
            self.catalogue.expire()

    def preload(self, name: str, *, call: BackendCall | None = None) -> None:
        """Load a model in whatever way this LM Studio has; do nothing if it is loaded."""
        call = call or BackendCall()
        model = self.find(name, max_age=0)
        if model.is_loaded:
            return
        if self.listing().generation is ApiVersion.V1:
            self.load(model.key, call=call)
            return
        try:
            self.load_just_in_time(model, call)
        except NoModelLoaded:  # just-in-time loading is switched off
            self.load(model.key, call=call)

    def load_just_in_time(self, model: Model, call: BackendCall, *, ttl: int | None = None) -> None:
        """Load a model by a request for one token: versions before 0.4 have no other way over HTTP.

        LM Studio may unload it after ``ttl`` idle seconds. Raises NoModelLoaded if it does not load on demand.
        """
        if model.kind is Kind.EMBEDDING:
            self.embed({"model": model.key, "input": ["."], **({} if ttl is None else {"ttl": ttl})}, call)
        else:
            self.chat(model.key, ".", max_tokens=1, ttl=ttl, call=call).close()

    def download(
        self, name: str, quantization: str | None = None, *, call: BackendCall | None = None
    ) -> Generator[Download, None, None]:
        """Download a model, or join its running download; yield how far it is until it is complete, or raise.

        ``quantization`` only goes with an address at Hugging Face. A call that is cancelled ends the watching at
        once, but not the download: LM Studio cannot be told to.
        """
        call = call or BackendCall()
        try:
            if (tool := self._instead_of_http("download a model")) is not None:
                yield from follow_with_tool(tool, name, quantization, call)
            else:
                yield from self._downloads.follow(name, quantization, call)
        finally:
            self.catalogue.expire()

    def start_download(
        self, name: str, quantization: str | None = None, *, call: BackendCall | None = None
    ) -> Download:
        """Start to download a model over HTTP without following it."""
        return self._downloads.start(name, quantization, call or BackendCall())

    def download_status(self, job_id: str, *, call: BackendCall | None = None) -> Download:
        """Return how far a download over HTTP is."""
        return self._downloads.status(job_id, call or BackendCall())

    def find_tool(self) -> CliTool | None:
        """Return the lms tool, None if it is not installed or the server is not this machine's LM Studio."""
        if self._tool is not None:
            return self._tool
        program = find_tool() if is_this_machine(self.options.base_url) else None
        if program is None:
            return None
        with suppress(
            BackendProtocolError, BackendRequestError, NotSupported
        ):  # another program that speaks OpenAI's API
            greeting = self._transport.exchange("GET", GREETING, timeout=self.options.list_timeout)
            if isinstance(greeting, dict) and greeting.get("lmstudio") is True:
                return CliTool(program, load_timeout=self.options.load_timeout)
        return None

    def _copies(self, name: str) -> tuple[str, ...]:
        """Return the loaded copies that a name means: all of a key, or the one copy."""
        model = self.find(name, max_age=0)
        loaded = tuple(copy.id for copy in model.instances)
        return (name,) if name != model.key and name in loaded else loaded

    def _load(
        self, key: str, context_length: int | None, call: BackendCall | None, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": key, "echo_load_config": True, **settings}
        if context_length:
            payload["context_length"] = context_length
        return as_object(
            self._transport.exchange(
                "POST", "/api/v1/models/load", orjson.dumps(payload), timeout=self.options.load_timeout, call=call
            )
        )

    def _instead_of_http(self, what: str, settings: Mapping[str, Any] | None = None) -> CliTool | None:
        """Return the tool where HTTP will not do, None where it will; NotSupported where nothing does."""
        if self.listing().generation is ApiVersion.V1:
            return None
        tool = None if settings else self.find_tool()
        if tool is None:
            text = f"this LM Studio cannot {what} over HTTP: that needs LM Studio 0.4 or later"
            raise NotSupported(f"{text}, or its lms tool on this machine" if not settings else text)
        return tool

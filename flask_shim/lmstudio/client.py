"""A client for one LM Studio: its models, chats and embeddings; loading, unloading and downloading models."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import orjson

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.catalogue import Listing, ModelListCache
from flask_shim.lmstudio.chat import Chat, Messages, chat_payload
from flask_shim.lmstudio.downloads import Download, Downloads
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendUnavailable,
    NoModelLoaded,
    NotSupported,
)
from flask_shim.lmstudio.http.cancellation import BackendCall, Watchdog
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import BackendResponse, EventStream, read_json
from flask_shim.lmstudio.http.session import build_session
from flask_shim.lmstudio.http.transport import SessionFactory, Transport
from flask_shim.lmstudio.lms.locate import find_tool, is_this_machine
from flask_shim.lmstudio.lms.tool import CliTool
from flask_shim.lmstudio.model import Kind, Model

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
GREETING = "/lmstudio-greeting"


class LMStudio:
    """A client for one LM Studio. Every method may be called from any thread and raises :class:`LMStudioError` only."""

    def __init__(
        self,
        options: ClientOptions | None = None,
        session_factory: SessionFactory = build_session,
        tool: CliTool | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        """Connect to nothing yet; ``session_factory`` makes the Session, for proxies and TLS settings of your own.

        ``tool`` loads, unloads and downloads models for versions before 0.4. Without one, the tool is looked for when
        it is needed, and used if the backend is this machine's LM Studio. Clients may share a ``watchdog``.
        """
        self.options = options or ClientOptions()
        self._transport = Transport(self.options, session_factory, watchdog)
        self.watchdog = self._transport.watchdog
        """Watches the calls of this client."""
        self.is_reachable = self._transport.is_reachable
        """Returns whether LM Studio's address accepts connections; it sends no request."""
        self.catalogue = ModelListCache(self._transport, self.options.catalogue_ttl)
        self._downloads = Downloads(self._transport)
        self._tool = tool

    @property
    def open_connections(self) -> int:
        """The number of requests that are being sent or answered, each on a connection."""
        return self._transport.limiter.taken

    def close(self) -> None:
        """Close the idle connections and end the watchdog."""
        self._transport.close()

    def __enter__(self) -> LMStudio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def listing(self, *, max_age: float | None = None, must_answer: bool = False) -> Listing:
        """Return the model list; see :meth:`ModelListCache.listing`."""
        return self.catalogue.listing(max_age=max_age, must_answer=must_answer)

    def models(self) -> tuple[Model, ...]:
        """Return the models on the backend's disk, as far as it lists them."""
        return self.listing().models

    def find(self, name: str, *, max_age: float | None = None) -> Model:
        """Return the model with exactly that key, variant or loaded copy; raise ModelNotFound otherwise."""
        return self.catalogue.find(name, max_age)

    def chat(self, model: str, messages: Messages, *, call: BackendCall | None = None, **settings: Any) -> Chat:
        """Chat with a model; return the answer while it is made, as an iterator over its pieces.

        ``settings`` are LM Studio's: temperature, max_tokens, tools, response_format, reasoning_effort, ttl and so on.
        The caller must read the answer to the end or close it. Failures before its first event are raised here. LM
        Studio loads a model that is not loaded, unless just-in-time loading is switched off.
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

    def open_completion(
        self, path: str, payload: Mapping[str, Any], call: BackendCall, *, joins_texts: bool = False
    ) -> EventStream:
        """Request a stream with ``payload`` and return it once its output begins; raise any failure before that."""
        seconds = self.options.first_byte_timeout
        call.allow(seconds, f"LM Studio did not begin to answer within {seconds} s")
        response = self.open("POST", path, call, orjson.dumps(payload), {"Accept": "text/event-stream"})
        return EventStream(response, self.options, joins_texts=joins_texts)

    def embed(self, payload: Mapping[str, Any], call: BackendCall | None = None) -> dict[str, Any]:
        """Request embeddings and return the whole answer."""
        return self.post(EMBEDDINGS, payload, call)

    def post(self, path: str, payload: Mapping[str, Any], call: BackendCall | None = None) -> dict[str, Any]:
        """Send any request whose answer is one JSON object, and return that."""
        return self._post(path, payload, call, timeout=self.options.first_byte_timeout)

    def open(
        self,
        method: str,
        path: str,
        call: BackendCall,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BackendResponse:
        """Send any request and return its answer, whatever its status; the caller must close it."""
        try:
            return self._transport.open(method, path, call, body, headers)
        except BackendUnavailable:
            self.catalogue.forget()
            raise

    def can_manage(self) -> bool:
        """Return whether models can be loaded, unloaded and downloaded: over HTTP, or with the lms tool."""
        return self.listing().api_version is ApiVersion.V1 or self.find_tool() is not None

    def load(
        self, key: str, *, context_length: int | None = None, call: BackendCall | None = None, **settings: Any
    ) -> dict[str, Any]:
        """Load a model, wait until it is ready, and return what the backend reports (instance, time, config).

        ``settings`` are LM Studio's other load settings, which need 0.4: eval_batch_size, flash_attention,
        num_experts, offload_kv_cache_to_gpu. The lms tool reports nothing, so the result is empty.
        """
        try:
            if (tool := self._tool_for("load a model", settings)) is not None:
                tool.load(key, context_length=context_length, call=call)
                return {}
            context = {"context_length": context_length} if context_length else {}
            payload = {"model": key, "echo_load_config": True, **settings, **context}
            return self._post("/api/v1/models/load", payload, call, timeout=self.options.load_timeout)
        finally:
            self.catalogue.expire()

    def unload(self, model: Model | str, *, call: BackendCall | None = None) -> tuple[str, ...]:
        """Unload all copies of a model, or the one copy of that name, and return the names of what was unloaded.

        Raises ModelNotFound if a name is neither a key nor a loaded copy.
        """
        try:
            if (tool := self._tool_for("unload a model")) is not None:
                return tool.unload(model if isinstance(model, str) else model.key, call=call)
            found = self.find(model, max_age=0) if isinstance(model, str) else model
            names = tuple(copy.id for copy in found.instances)
            names = tuple(name for name in names if name == model != found.key) or names
            for name in names:
                try:
                    self._post("/api/v1/models/unload", {"instance_id": name}, call, timeout=self.options.load_timeout)
                except BackendRequestError:  # LM Studio or its user may have unloaded it since it was listed
                    if self.listing(max_age=0).has_instance(name):
                        raise
            return names
        finally:
            self.catalogue.expire()

    def preload(self, name: str, *, call: BackendCall | None = None) -> None:
        """Load a model in the way that this version of LM Studio supports; do nothing if it is loaded."""
        call = call or BackendCall()
        model = self.find(name, max_age=0)
        if model.is_loaded:
            return
        if self.listing().api_version is not ApiVersion.V1:
            with suppress(NoModelLoaded):  # just-in-time loading is switched off
                self.load_just_in_time(model, call)
                return
        self.load(model.key, call=call)

    def load_just_in_time(self, model: Model, call: BackendCall, *, ttl: int | None = None) -> None:
        """Load a model by a request for one token, the only way over HTTP before 0.4.

        LM Studio may unload it after ``ttl`` idle seconds. Raises NoModelLoaded if it does not load on demand.
        """
        if model.kind is Kind.EMBEDDING:
            self.embed({"model": model.key, "input": ["."], **({} if ttl is None else {"ttl": ttl})}, call)
        else:
            self.chat(model.key, ".", max_tokens=1, ttl=ttl, call=call).close()

    def download(
        self, name: str, quantization: str | None = None, *, call: BackendCall | None = None
    ) -> Generator[Download, None, None]:
        """Download a model, or join its running download; yield the progress until it is complete, or raise.

        ``quantization`` is only for addresses at Hugging Face. Cancelling the call does not end the download.
        """
        call = call or BackendCall()
        try:
            if (tool := self._tool_for("download a model")) is not None:
                yield from tool.download(f"{name}@{quantization}" if quantization else name, call=call)
            else:
                yield from self._downloads.follow(name, quantization, call)
        finally:
            self.catalogue.expire()

    def find_tool(self) -> CliTool | None:
        """Return the lms tool; None if it is not installed or the backend is not this machine's LM Studio."""
        if self._tool is not None:
            return self._tool
        if not is_this_machine(self.options.base_url) or (program := find_tool()) is None:
            return None
        with suppress(BackendProtocolError, BackendRequestError, NotSupported):  # another OpenAI-compatible server
            greeting = self._transport.exchange("GET", GREETING, timeout=self.options.list_timeout)
            if isinstance(greeting, dict) and greeting.get("lmstudio") is True:
                return CliTool(program, load_timeout=self.options.load_timeout)
        return None

    def _tool_for(self, what: str, settings: Mapping[str, Any] | None = None) -> CliTool | None:
        """Return None if LM Studio can do it over HTTP, otherwise the tool; raise NotSupported without one."""
        if self.listing().api_version is ApiVersion.V1:
            return None
        tool = None if settings else self.find_tool()
        if tool is None:
            text = f"this LM Studio cannot {what} over HTTP: that needs LM Studio 0.4 or later"
            raise NotSupported(f"{text}, or its lms tool on this machine" if not settings else text)
        return tool

    def _post(
        self, path: str, payload: Mapping[str, Any], call: BackendCall | None, *, timeout: float | None
    ) -> dict[str, Any]:
        call = call or BackendCall()
        call.allow(timeout, f"LM Studio did not answer POST {path} within {timeout} s")
        with self.watchdog.watch(call), self.open("POST", path, call, orjson.dumps(payload)) as response:
            value = read_json(response, self.options)
        if not isinstance(value, dict):
            raise BackendProtocolError("LM Studio's answer is not a JSON object")
        return value

"""A stateful LM Studio of any API version on a socket: lists, loads, unloads, downloads and answers as tests want.

with FakeLMStudio({"tiny": 4096, "other": None}) as studio:      # tiny is loaded, other is not
    studio.answers["/v1/chat/completions"] = streams("Hel", "lo")
    ...                                                          # point the shim at studio.url
    assert studio.posted("/v1/chat/completions")[0]["model"] == "tiny"
"""

from __future__ import annotations

import functools
import http
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flask_shim.lmstudio.api_versions import ApiVersion
from support.answers import Answer, replies, streams
from support.peer import Peer, ReceivedRequest
from support.socket_server import DEADLINE_SECONDS, SocketServer

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
LOAD = "/api/v1/models/load"
UNLOAD = "/api/v1/models/unload"
DOWNLOAD = "/api/v1/models/download"
LISTS = {"/api/v1/models": ApiVersion.V1, "/api/v0/models": ApiVersion.V0, "/v1/models": ApiVersion.OPENAI}

MODEL = "tiny"
COLD = "tiny-cold"
EMBEDDER = "text-embedding-tiny"
CONTEXT = 4096

JOB = {"job_id": "job_1", "status": "downloading", "total_size_bytes": 100}
WHOLE = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello world"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
VECTORS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}], "usage": {}}
UNKNOWN = {"error": "Unexpected endpoint or method. (GET /api/v1/models). Returning 200 anyway"}
"""What LM Studio answers, with status 200, to a path it does not have."""


class Status(NamedTuple):
    """An answer with a status other than 200."""

    code: int
    value: Any


NONE_LOADED = Status(404, {"error": {"message": "No models loaded. Please load a model in the developer page."}})
CRASHED = Status(500, {"error": {"message": "Failed to load model. Out of memory.", "type": "model_load_failed"}})
NOT_OFFERED = Status(404, {"error": {"message": "No such model on offer.", "code": "model_not_found"}})

Rows = Iterable[Mapping[str, Any]]
AnswerFunction = Callable[[ReceivedRequest], Any]


def v1_model(
    key: str, kind: str = "llm", *, context_length: int | None = None, parallel: int | None = None, **more: Any
) -> dict[str, Any]:
    """Return an entry of /api/v1/models; with a ``context_length`` it is loaded, to answer ``parallel`` requests."""
    config = {"context_length": context_length, **({"parallel": parallel} if parallel else {})}
    instances = [{"id": key, "config": config}] if context_length else []
    return {"key": key, "type": kind, "max_context_length": 8192, "loaded_instances": instances, **more}


def v0_model(key: str, kind: str = "llm", *, context_length: int | None = None) -> dict[str, Any]:
    """Return an entry of /api/v0/models; with a ``context_length`` it is loaded."""
    state = {"state": "loaded", "loaded_context_length": context_length} if context_length else {"state": "not-loaded"}
    return {"id": key, "object": "model", "type": kind, "max_context_length": 8192, **state}


class FakeLMStudio:
    """Listens from the moment it exists until :meth:`kill`; a context manager. ``server`` can freeze and be unplugged.

    ``models`` maps keys to the context they are loaded with, None if they are not; ``rows`` are list entries as they
    stand instead (or a function that returns them). ``answer`` is asked first about every request that is not a list;
    then ``answers`` by path. Both give a value (JSON, bytes), a :class:`Status`, or an answer of ``support.answers``;
    None leaves it to the default. ``offers`` maps what can be downloaded to the keys it brings; while it is
    None, any download starts and never ends. Every load waits for ``may_load``, every list for ``list_seconds``.
    ``parallel`` is how many requests a loaded model answers at a time, as 0.4 lists it.
    """

    def __init__(
        self,
        models: Mapping[str, int | None] | None = None,
        answer: AnswerFunction | None = None,
        *,
        version: ApiVersion | str = ApiVersion.V1,
        rows: Rows | Callable[[], Rows] | None = None,
        parallel: int | None = None,
    ) -> None:
        self._initial = {MODEL: CONTEXT, COLD: None, EMBEDDER: CONTEXT} if models is None else dict(models)
        self.answer = answer
        self.rows = rows
        self.parallel = parallel
        self.may_load = threading.Event()
        self.calm(version)
        self.server = SocketServer(self._serve)
        self.port = self.server.port
        self.url = self.server.url

    def calm(self, version: ApiVersion | str = ApiVersion.V1) -> None:
        """Return to the initial models and default answers, and forget all requests."""
        self.version = version if isinstance(version, ApiVersion) else _VERSIONS[version]
        self.models = dict(self._initial)
        self.kinds = {key: "embedding" for key in self.models if key.startswith("text-embedding-")}
        self.answers: dict[str, Any] = {}
        self.offers: dict[str, list[str]] | None = None
        self.asked: list[ReceivedRequest] = []
        self.peers: list[Peer] = []
        self.list_seconds = 0.0
        self.may_load.set()

    def kill(self) -> None:
        """Break all connections and accept no more."""
        self.server.stop()

    def back(self, version: ApiVersion = ApiVersion.V1) -> None:
        """Answer again, on the same port."""
        self.version = version
        self.server = SocketServer(self._serve, port=self.port)

    def until(self, is_so: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until ``is_so()``; fail after a deadline."""
        self.server.until(is_so, seconds)

    def asked_for(self, path: str) -> list[ReceivedRequest]:
        """Return the requests for one path, the oldest first."""
        return [asked for asked in tuple(self.asked) if _path(asked) == path]

    def posted(self, path: str) -> list[Any]:
        """Return the bodies that were sent to a path, the oldest first."""
        return [asked.json for asked in self.asked_for(path)]

    def paths(self) -> list[str]:
        """Return method and path of every request except model lists."""
        named = (f"{asked.method} {asked.path}" for asked in tuple(self.asked))
        return [text for text in named if not text.endswith("/models")]

    def at(self, path: str) -> list[Peer]:
        """Return the connections whose last request was for that path."""
        return [peer for peer in tuple(self.peers) if _path(peer.asked[-1]) == path]

    def open_at(self, path: str) -> list[Peer]:
        """Return those of them that are open and not answered completely."""
        return [peer for peer in self.at(path) if not (peer.ended or peer.is_idle) and peer.closed_at is None]

    def __enter__(self) -> FakeLMStudio:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _serve(self, peer: Peer) -> None:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # otherwise heads wait 40 ms for their bodies
        while True:
            asked = peer.read()
            self.asked.append(asked)
            if peer not in self.peers:
                self.peers.append(peer)
            with self.server.changed:
                self.server.changed.notify_all()
            if _path(asked) in LISTS:
                peer.pause(self.list_seconds)
            _as_answer(self._respond(asked))(peer)

    def _respond(self, asked: ReceivedRequest) -> Any:
        path = _path(asked)
        if path in self.answers:
            return self.answers[path]
        if path in LISTS:
            return self._list(LISTS[path]) if self._has(LISTS[path]) else UNKNOWN
        value = self.answer(asked) if self.answer else None
        if value is not None:
            return value
        default = _DEFAULTS.get(path)
        if default is None or (path.startswith("/api/v1/") and self.version is not ApiVersion.V1):
            return UNKNOWN
        return default(self, asked.json)

    def _has(self, version: ApiVersion) -> bool:
        return version in (self.version, ApiVersion.OPENAI) or self.version is ApiVersion.V1

    def _list(self, version: ApiVersion) -> dict[str, Any]:
        rows = list(self.rows() if callable(self.rows) else self.rows or ())
        if self.rows is None:
            row = functools.partial(v1_model, parallel=self.parallel) if version is ApiVersion.V1 else v0_model
            rows = [row(key, self._kind(key, version), context_length=loaded) for key, loaded in self.models.items()]
        if version is ApiVersion.OPENAI:
            rows = [
                {"id": row.get("id") or row["key"], "object": "model", "owned_by": "organization_owner"} for row in rows
            ]
        return {"models": rows} if version is ApiVersion.V1 else {"object": "list", "data": rows}

    def _kind(self, key: str, version: ApiVersion) -> str:
        kind = self.kinds.get(key, "llm")
        return "embeddings" if kind == "embedding" and version is ApiVersion.V0 else kind

    def _load(self, body: Any) -> Any:
        self.may_load.wait(DEADLINE_SECONDS)
        self.models[body["model"]] = body.get("context_length", CONTEXT)
        return {"type": "llm", "instance_id": body["model"], "status": "loaded"}

    def _unload(self, body: Any) -> Any:
        self.models[body["instance_id"]] = None
        return {"instance_id": body["instance_id"]}

    def _chat(self, body: Any) -> Any:
        if body["model"] in self.models:
            self.models[body["model"]] = self.models[body["model"]] or CONTEXT
        return streams("Hello", " world") if body.get("stream") else WHOLE

    def _embeddings(self, _: Any) -> Any:
        return VECTORS

    def _download(self, body: Any) -> Any:
        return NOT_OFFERED if self.offers is not None and body["model"] not in self.offers else JOB

    def _download_status(self, _: Any) -> Any:
        if self.offers is None:
            return JOB
        self.models |= {key: None for keys in self.offers.values() for key in keys}
        return {**JOB, "status": "completed", "downloaded_bytes": JOB["total_size_bytes"]}


_VERSIONS = {"v1": ApiVersion.V1, "v0": ApiVersion.V0, "openai": ApiVersion.OPENAI}

_DEFAULTS: dict[str, Callable[[FakeLMStudio, Any], Any]] = {
    CHAT: FakeLMStudio._chat,
    COMPLETIONS: FakeLMStudio._chat,
    EMBEDDINGS: FakeLMStudio._embeddings,
    LOAD: FakeLMStudio._load,
    UNLOAD: FakeLMStudio._unload,
    DOWNLOAD: FakeLMStudio._download,
    f"{DOWNLOAD}/status/job_1": FakeLMStudio._download_status,
}


def _path(asked: ReceivedRequest) -> str:
    return asked.path.partition("?")[0]


def _as_answer(value: Any) -> Answer:
    if callable(value):
        return value
    code, value = value if isinstance(value, Status) else (200, value)
    return replies(value, f"{code} {http.HTTPStatus(code).phrase}")


def last_message(asked: ReceivedRequest) -> str:
    """Return the content of the last message of a chat, as LM Studio received it."""
    return str(asked.json["messages"][-1]["content"])

"""An LM Studio of any generation that a test changes while it runs, kills, and brings back on the same port."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable

from flask_shim.lmstudio.api_versions import ApiVersion
from support.rude import DEADLINE_SECONDS, Asked, Peer, RudeServer
from support.scripts import Answer, replies, streams

MODEL = "tiny"
COLD = "tiny-cold"
EMBEDDER = "text-embedding-tiny"
CHAT = "/v1/chat/completions"
LOAD = "/api/v1/models/load"
UNLOAD = "/api/v1/models/unload"
DOWNLOAD = "/api/v1/models/download"
LISTS = {"/api/v1/models": ApiVersion.V1, "/api/v0/models": ApiVersion.V0, "/v1/models": ApiVersion.OPENAI}
JOB = {"job_id": "job-1", "status": "downloading", "total_size_bytes": 1000, "downloaded_bytes": 10}


class Studio:
    """Lists a loaded model, a cold one and an embedding model; answers everything at once, until told otherwise.

    ``answers`` replaces what is answered on a path; every connection, old or new, sees the change with its next
    request.
    """

    def __init__(self) -> None:
        self.calm()
        self._server = RudeServer(self._serve)
        self.port = self._server.port
        self.url = self._server.url

    def calm(self) -> None:
        """Be the newest LM Studio, in good health, with everything forgotten that was asked."""
        self.generation = ApiVersion.V1
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.peers: list[Peer] = []

    def kill(self) -> None:
        """Break all connections and take no more."""
        self._server.stop()

    def back(self, generation: ApiVersion = ApiVersion.V1) -> None:
        """Answer again, on the same port."""
        self.generation = generation
        self._server = RudeServer(self._serve, port=self.port)

    def until(self, is_so: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until ``is_so()``; fail after a deadline."""
        self._server.until(is_so, seconds)

    def asked_for(self, path: str) -> list[Asked]:
        """Return the requests for one path, the oldest first."""
        return [asked for asked in tuple(self.asked) if asked.path.partition("?")[0] == path]

    def at(self, path: str) -> list[Peer]:
        """Return the connections whose last request was for that path."""
        return [peer for peer in tuple(self.peers) if peer.asked[-1].path.partition("?")[0] == path]

    def open_at(self, path: str) -> list[Peer]:
        """Return those of them that are open."""
        return [peer for peer in self.at(path) if not peer.ended and peer.gone_at is None]

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _serve(self, peer: Peer) -> None:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else heads wait 40 ms for their bodies
        while True:
            asked = peer.read()
            self.asked.append(asked)
            if peer not in self.peers:
                self.peers.append(peer)
            with self._server.changed:
                self._server.changed.notify_all()
            self._answer_to(asked)(peer)

    def _answer_to(self, asked: Asked) -> Answer:
        path = asked.path.partition("?")[0]
        if path in self.answers:
            return self.answers[path]
        if path in LISTS:
            return _list_of(LISTS[path]) if self._has(LISTS[path]) else _unknown(asked)
        if path.startswith("/api/v1/") and self.generation is not ApiVersion.V1:
            return _unknown(asked)
        answer = _ANSWERS.get(path)
        return answer(asked) if answer else _unknown(asked)

    def _has(self, generation: ApiVersion) -> bool:
        return generation in (self.generation, ApiVersion.OPENAI) or self.generation is ApiVersion.V1


def _list_of(generation: ApiVersion) -> Answer:
    return replies(_LISTS[generation])


def _unknown(asked: Asked) -> Answer:
    # As LM Studio does, with status 200.
    return replies({"error": f"Unexpected endpoint or method. ({asked.method} {asked.path}). Returning 200 anyway"})


def _v1(key: str, kind: str = "llm", *, is_loaded: bool = True) -> dict:
    instance = {"id": key, "config": {"context_length": 4096}}
    can = {"capabilities": {"vision": False, "trained_for_tool_use": True}} if kind == "llm" else {}
    loaded = [instance] if is_loaded else []
    return {"key": key, "type": kind, "max_context_length": 8192, "loaded_instances": loaded, **can}


def _v0(key: str, kind: str = "llm", *, is_loaded: bool = True) -> dict:
    state = {"state": "loaded", "loaded_context_length": 4096} if is_loaded else {"state": "not-loaded"}
    return {"id": key, "object": "model", "type": kind, "max_context_length": 8192, **state}


def _list(row: Callable[..., dict], name: str, **more: object) -> dict:
    return {**more, name: [row(MODEL), row(COLD, is_loaded=False), row(EMBEDDER, _EMBEDDING[row])]}


_EMBEDDING = {_v1: "embedding", _v0: "embeddings"}
_NAMES: Iterable[str] = (MODEL, COLD, EMBEDDER)
_LISTS = {
    ApiVersion.V1: _list(_v1, "models"),
    ApiVersion.V0: _list(_v0, "data", object="list"),
    ApiVersion.OPENAI: {"object": "list", "data": [{"id": name, "object": "model"} for name in _NAMES]},
}

WHOLE = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello world"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
VECTORS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}], "usage": {}}


def _chat(asked: Asked) -> Answer:
    return streams("Hello", " world") if asked.json.get("stream") else replies(WHOLE)


_ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    CHAT: _chat,
    "/v1/completions": _chat,
    "/v1/embeddings": lambda _: replies(VECTORS),
    LOAD: lambda asked: replies({"type": "llm", "instance_id": asked.json["model"], "status": "loaded"}),
    UNLOAD: lambda asked: replies({"instance_id": asked.json["instance_id"]}),
    DOWNLOAD: lambda _: replies(JOB),
    f"{DOWNLOAD}/status/job-1": lambda _: replies(JOB),
}


def said(asked: Asked) -> str:
    """Return the last message of a chat, as LM Studio got it."""
    return str(json.loads(asked.body)["messages"][-1]["content"])

"""Answers of LM Studio for :mod:`support.socket_server`: JSON, streams, silence, and scripts made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from support.peer import Peer
from support.socket_server import Script

MODEL = "tiny"

Answer = Callable[[Peer], object]
"""Like a script, but for one request that has been read: it only answers."""


def model(key: str = MODEL, **more: object) -> dict:
    """Return one loaded model as the newest list shows it."""
    instance = {"id": key, "config": {"context_length": 4096}}
    return {
        "key": key,
        "type": "llm",
        "max_context_length": 8192,
        "capabilities": {"vision": False, "trained_for_tool_use": True},
        "loaded_instances": [instance],
    } | more


def lm_studio(chat: Answer, *models: dict, **others: Answer) -> Script:
    """Be an LM Studio 0.4 that lists ``models`` and answers every chat with ``chat``.

    ``others`` answer further paths: ``api_v1_models_load=...`` stands for ``/api/v1/models/load``.
    """
    paths = {f"/{name.replace('_', '/')}": answer for name, answer in others.items()}
    listed = {"models": list(models or [model()])}
    return by_path({"/api/v1/models": replies(listed), "/v1/chat/completions": chat, "/v1/completions": chat} | paths)


def by_path(answers: Mapping[str, Answer]) -> Script:
    """Read one request after the other and answer each by its path, 404 to all others."""

    def script(peer: Peer) -> None:
        while True:
            answers.get(peer.read().path.partition("?")[0], replies({"error": "no such path"}, "404 Not Found"))(peer)

    return script


def reads(answer: Answer) -> Script:
    """Read one request, whatever it is, and answer it."""

    def script(peer: Peer) -> None:
        peer.read()
        answer(peer)

    return script


def replies(body: object, status: str = "200 OK", **headers: object) -> Answer:
    """Answer with JSON, or with bytes or text as they are."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    more = {"content_type": "application/json"} | headers | {"content_length": len(data)}

    def answer(peer: Peer) -> None:
        peer.head(status, **more)
        peer.send(data)

    return answer


def event(text: str) -> bytes:
    """Return a server-sent event with that piece of text."""
    return sse({"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]})


def sse(value: object) -> bytes:
    """Return ``value`` as a server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
END = (
    sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    + sse({"choices": [], "usage": USAGE})
    + b"data: [DONE]\n\n"
)


def streams(*steps: object, chunked: bool = True, ends: bool = True) -> Answer:
    """Answer with events: a text is a token, a number a pause in seconds, bytes go out as they are, and a function
    gets the peer. With ``ends`` the stream is then completed properly; without, the connection is closed (or kept,
    if the last step is ``Peer.hold``).
    """

    def answer(peer: Peer) -> None:
        framing = {"transfer_encoding": "chunked"} if chunked else {"connection": "close"}
        peer.head(content_type="text/event-stream", **framing)
        send = peer.chunk if chunked else peer.send
        for step in steps:
            if isinstance(step, (int, float)):
                peer.pause(step)
            elif callable(step):
                step(peer)
            else:
                send(event(step) if isinstance(step, str) else step)
        if ends:
            send(END)
        if ends and chunked:
            send(b"")
        if not (ends and chunked):
            peer.sock.close()

    return answer


def endless(seconds: float = 0.02, text: str = "tok ") -> Answer:
    """Answer with one token after the other until the other side closes."""

    def tokens(peer: Peer) -> None:
        while True:
            peer.chunk(event(text))
            peer.pause(seconds)

    return streams(tokens)


def silent(peer: Peer) -> None:
    """Say nothing, not even a status, until the other side closes."""
    peer.hold()

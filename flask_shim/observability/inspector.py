"""Keep both sides of the latest exchanges in memory, while that is switched on.

An :class:`Exchange` is the ``trace`` of its request's backend calls. Nothing is kept, copied or compared while the
inspector is off: a request then costs one comparison.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import EnvironHeaders

from flask_shim.lmstudio.http.error_parsing import redact_token
from flask_shim.observability.redaction import LONGEST_BODY, redacted_body, redacted_headers, redacted_query
from flask_shim.observability.request_context import RequestRecord

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MOST_EXCHANGES = 200
MOST_BYTES = 32_000_000
"""Of all kept exchanges together; the oldest are dropped first."""

EDGE_CHUNKS = 8
"""How many chunks are kept of the beginning of an answer, and of its end."""

CHUNK_CHARACTERS = 2_000

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(slots=True, eq=False)
class Chunks:
    """An answer as it arrived or left: its first and last chunks with their times, and how much there was."""

    started_ns: int
    status: int = 0
    first: list[tuple[int, bytes]] = field(default_factory=list)
    last: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=EDGE_CHUNKS))
    number: int = 0
    size: int = 0

    def add(self, chunk: bytes) -> None:
        """Keep one chunk, cut to what is shown of it."""
        edge = self.first if len(self.first) < EDGE_CHUNKS else self.last
        edge.append((time.perf_counter_ns() - self.started_ns, chunk[:CHUNK_CHARACTERS]))
        self.number += 1
        self.size += len(chunk)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""

        def shown(edge: Iterable[tuple[int, bytes]]) -> list[dict[str, Any]]:
            return [{"seconds": ns / 1e9, "text": chunk.decode(errors="replace")} for ns, chunk in edge]

        first, last = shown(tuple(self.first)), shown(tuple(self.last))
        return {"status": self.status, "chunks": self.number, "bytes": self.size, "first": first, "last": last}


class Body:
    """A request's body: the bytes while the request runs, then JSON without pictures and keys."""

    __slots__ = ("_raw", "_value", "is_complete", "size")

    def __init__(self, raw: bytes | None = None) -> None:
        """Keep a reference to ``raw``, None if there is no body or it was not read."""
        self._raw = raw
        self._value: Any = None
        self.size = 0
        self.is_complete = True
        """Whether nothing had to be left out."""

    def redact(self) -> None:
        """Keep only what may be shown."""
        if self._raw is not None:
            self._value, self.is_complete = redacted_body(self._raw)
            self.size = min(len(self._raw), LONGEST_BODY)
            self._raw = None

    def to_json(self) -> Any:
        """Return what may be shown, as JSON."""
        raw = self._raw  # another thread may redact it now
        return self._value if raw is None else redacted_body(raw)[0]


@dataclass(slots=True, eq=False)
class BackendRequest:
    """One request to LM Studio, and its answer if there was one."""

    method: str
    path: str
    body: Body
    answer: Chunks | None = None


@dataclass(slots=True, eq=False)
class Exchange:
    """One request of a client, the requests to LM Studio that it caused, and both answers."""

    record: RequestRecord
    at: float
    query: str
    headers: dict[str, str]
    answer: Chunks
    body: Body = field(default_factory=Body)
    """Empty if the request was rejected before its body was read."""
    backend: list[BackendRequest] = field(default_factory=list)

    def add_request(self, method: str, path: str, body: bytes | None) -> None:
        """Note a request to LM Studio."""
        self.backend.append(BackendRequest(method, path, Body(body)))

    def add_answer(self, status: int, read: Callable[[], bytes], token: str | None) -> Callable[[], bytes]:
        """Note the head of LM Studio's answer; return ``read`` with a note of each chunk, ``token`` masked."""
        chunks = self.backend[-1].answer = Chunks(self.record.started_ns, status)

        def read_and_record() -> bytes:
            chunk = read()
            if chunk:
                chunks.add(redact_token(token, chunk))
            return chunk

        return read_and_record

    def record_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks of the answer to the client, with a note of each."""
        for block in blocks:
            self.answer.add(block)
            yield block

    def redact(self) -> None:
        """Keep only what may be shown of both requests."""
        for body in self._bodies():
            body.redact()

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return sum(body.size for body in self._bodies())

    def _bodies(self) -> list[Body]:
        return [self.body, *(each.body for each in self.backend)]


class Inspector:
    """A ring of the latest exchanges, with a limit for their number and for their size. Safe to use from any thread."""

    def __init__(self, limit: int = 0) -> None:
        """Keep the last ``limit`` exchanges; 0 is off."""
        self.is_on = limit > 0
        """Whether requests are to be kept; :meth:`start` ends it when the time is over."""
        self._limit = limit
        self._until = 0.0
        self._lock = threading.Lock()
        self._kept: dict[str, Exchange] = {}

    @property
    def limit(self) -> int:
        """How many exchanges are kept now; 0 while it is off."""
        if self._limit and self._until and time.time() > self._until:
            self._limit, self.is_on = 0, False
        return self._limit

    @property
    def until(self) -> float | None:
        """When it switches itself off, in seconds since 1970; None if it does not."""
        return self._until or None

    @property
    def state(self) -> tuple[int, float]:
        """How many exchanges are kept, and until when; for :meth:`resume` in a new process."""
        return self.limit, self._until

    def resume(self, state: tuple[int, float]) -> None:
        """Keep as many exchanges as another process, and as long."""
        self._limit, self._until = state
        self.is_on = self._limit > 0

    def switch_on(self, limit: int, seconds: float) -> None:
        """Keep the last ``limit`` exchanges for a while."""
        self._until = time.time() + seconds
        self._limit = min(limit, MOST_EXCHANGES)
        self.is_on = True

    def switch_off(self) -> None:
        """Keep nothing from now on, and forget what is kept."""
        self._limit, self.is_on = 0, False
        with self._lock:
            self._kept.clear()

    def start(self, record: RequestRecord, environ: WSGIEnvironment) -> Exchange | None:
        """Return the exchange of a request that begins, which is kept from now on; None if the time is over."""
        if not self.limit:
            return None
        query, headers = redacted_query(environ.get("QUERY_STRING", "")), redacted_headers(EnvironHeaders(environ))
        exchange = Exchange(record, time.time(), query, headers, Chunks(record.started_ns))
        with self._lock:
            self._kept[record.id] = exchange
        return exchange

    def finish(self, exchange: Exchange) -> None:
        """Keep what can be shown of an exchange that has ended; forget it if it is only a list that was read."""
        record = exchange.record
        exchange.answer.status = record.status
        exchange.redact()
        with self._lock:
            if record.method in _READING_METHODS and record.status < 400:
                self._kept.pop(record.id, None)
            self._drop_oldest()

    def exchanges(self) -> list[Exchange]:
        """Return the kept exchanges, the newest first."""
        with self._lock:
            return list(reversed(self._kept.values()))

    def find(self, id_: str) -> Exchange | None:
        """Return the exchange of a request id, None if it is not kept."""
        with self._lock:
            return self._kept.get(id_)

    def _drop_oldest(self) -> None:
        size = sum(exchange.size for exchange in self._kept.values())
        for id_, exchange in tuple(self._kept.items()):
            if len(self._kept) <= max(1, self._limit) and size <= MOST_BYTES:
                return
            if exchange.record.ended_ns is not None:
                size -= exchange.size
                del self._kept[id_]

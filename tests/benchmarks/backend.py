"""LM Studios that only send: ``python -m tests.benchmarks.backend PORT ...``. One thread, ready-made bytes.

The prompt says how many tokens to send, and how fast: see ``wire.WISH``. ``GET /generations`` returns how many requests
for that each port has had.
"""

from __future__ import annotations

import heapq
import re
import selectors
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import cast

from tests.benchmarks import wire
from tests.benchmarks.children import end_with_parent

_BLOCK_TOKENS = 256
_BLOCK = wire.TOKEN * _BLOCK_TOKENS
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_IS_STREAM = re.compile(rb'"stream": ?true')
_UNKNOWN = wire.json_answer({"error": "Unexpected endpoint or method."})


class Peer:
    """One connection: what was read of a request, what is still to be sent."""

    __slots__ = ("asked", "due_ns", "events", "left", "pace_ns", "port", "rest", "size", "sock", "tokens", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        """Start with an idle connection."""
        self.sock = sock
        self.port: int = sock.getsockname()[1]
        self.events = selectors.EVENT_READ
        self.asked = bytearray()
        self.size = 0  # of the request; 0: its head has not arrived yet
        self.rest = memoryview(b"")
        self.waiting: deque[bytes] = deque()
        self.tokens = self.left = self.pace_ns = self.due_ns = 0

    def __lt__(self, other: Peer) -> bool:
        """Order by the token that is due next."""
        return self.due_ns < other.due_ns

    def send(self, payload: bytes) -> None:
        """Send now what the socket takes, and keep the rest."""
        self.waiting.append(payload)
        self.flush()

    def flush(self) -> None:
        """Send one block of what waits: all connections are to have their turn."""
        if not self.rest and self.waiting:
            self.rest = memoryview(self.waiting.popleft())
        try:
            self.rest = self.rest[self.sock.send(self.rest) :]
        except BlockingIOError:
            return  # the selector will say when to go on


class Backend:
    """The loop over all connections."""

    def __init__(self, listeners: Sequence[socket.socket]) -> None:
        """Serve what connects to ``listeners``."""
        self._generations: Counter[int] = Counter()
        self._selector = selectors.DefaultSelector()
        for listener in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)
        self._paced: list[Peer] = []

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            for key, events in self._selector.select(self._pause()):
                if key.data is None:
                    self._accept(cast("socket.socket", key.fileobj))
                else:
                    self._serve(key.data, events)
            self._pace()

    def _pause(self) -> float | None:
        if not self._paced:
            return None
        return max(0.0, (self._paced[0].due_ns - time.perf_counter_ns()) / 1e9)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(sock, selectors.EVENT_READ, Peer(sock))

    def _serve(self, peer: Peer, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read(peer)
            elif events & selectors.EVENT_WRITE:
                peer.flush()
            self._settle(peer)
        except OSError:
            self._drop(peer)

    def _settle(self, peer: Peer) -> None:
        """Wait for what the peer needs next."""
        is_sending = peer.rest or peer.waiting
        events = selectors.EVENT_READ | selectors.EVENT_WRITE if is_sending else selectors.EVENT_READ
        if events != peer.events:
            self._selector.modify(peer.sock, events, peer)
            peer.events = events

    def _drop(self, peer: Peer) -> None:
        peer.left = 0
        self._selector.unregister(peer.sock)
        peer.sock.close()

    def _read(self, peer: Peer) -> None:
        block = peer.sock.recv(1 << 18)
        if not block:
            raise ConnectionError("closed")
        peer.asked += block
        if not peer.size and (end := peer.asked.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(peer.asked, 0, end + 2)
            peer.size = end + 4 + (int(length[1]) if length else 0)
        if peer.size and len(peer.asked) >= peer.size:
            asked, peer.asked, peer.size = peer.asked, bytearray(), 0
            self._answer(peer, asked)

    def _answer(self, peer: Peer, asked: bytearray) -> None:
        method, path, _ = asked[:200].split(b" ", 2)
        if method == b"GET":
            is_count = path == b"/generations"
            peer.send(wire.json_answer(self._generations) if is_count else wire.LISTS.get(path.decode(), _UNKNOWN))
            return
        self._generations[peer.port] += 1
        wish = wire.WISH.search(asked)
        tokens, pace_us = (int(wish[1]), int(wish[2])) if wish else (16, 0)
        peer.tokens, peer.pace_ns = tokens, pace_us * 1000
        if not _IS_STREAM.search(asked):
            peer.send(wire.whole_answer(peer.tokens))
        elif peer.pace_ns:
            peer.send(wire.STREAM_HEAD)
            peer.left, peer.due_ns = peer.tokens, time.perf_counter_ns()
            heapq.heappush(self._paced, peer)
        else:
            blocks, rest = divmod(peer.tokens, _BLOCK_TOKENS)
            peer.waiting.append(wire.STREAM_HEAD)
            peer.waiting.extend([_BLOCK] * blocks)
            peer.send(wire.TOKEN * rest + wire.stream_end(peer.tokens))

    def _pace(self) -> None:
        """Send every token that is due."""
        while self._paced and self._paced[0].due_ns <= time.perf_counter_ns():
            peer = heapq.heappop(self._paced)
            if not peer.left:
                continue  # hung up
            try:
                self._token(peer)
                self._settle(peer)
            except OSError:
                self._drop(peer)

    def _token(self, peer: Peer) -> None:
        peer.send(wire.stamped(time.perf_counter_ns()))
        peer.left -= 1
        if peer.left:
            peer.due_ns += peer.pace_ns
            heapq.heappush(self._paced, peer)
        else:
            peer.send(wire.stream_end(peer.tokens))


def main() -> None:
    """Serve on the loopback ports given."""
    end_with_parent()
    with ExitStack() as opened:
        ports = map(int, sys.argv[1:])
        Backend([opened.enter_context(socket.create_server(("127.0.0.1", port), backlog=1024)) for port in ports]).run()


if __name__ == "__main__":
    main()

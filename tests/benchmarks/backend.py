"""An LM Studio that only sends: ``python -m tests.benchmarks.backend PORT``. One thread, ready-made bytes.

``max_tokens`` of a request says how many tokens to send, ``seed`` how many microseconds lie between two of them
(0 or absent: as fast as the socket takes them).
"""

from __future__ import annotations

import heapq
import json
import re
import selectors
import socket
import sys
import time
from collections import deque

from tests.benchmarks import wire
from tests.benchmarks.children import end_with_parent

_BLOCK_TOKENS = 256
_BLOCK = wire.TOKEN * _BLOCK_TOKENS
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_UNKNOWN = wire.json_answer({"error": "Unexpected endpoint or method."})


class Peer:
    """One connection: what was read of a request, what is still to be sent."""

    __slots__ = ("asked", "due_ns", "events", "left", "pace_ns", "rest", "sock", "tokens", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        """Start with an idle connection."""
        self.sock = sock
        self.events = selectors.EVENT_READ
        self.asked = b""
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

    def __init__(self, listener: socket.socket) -> None:
        """Serve what connects to ``listener``."""
        listener.setblocking(False)
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._paced: list[Peer] = []

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            for key, events in self._selector.select(self._pause()):
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key.data, events)
            self._pace()

    def _pause(self) -> float | None:
        if not self._paced:
            return None
        return max(0.0, (self._paced[0].due_ns - time.perf_counter_ns()) / 1e9)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
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
        block = peer.sock.recv(65536)
        if not block:
            raise ConnectionError("closed")
        peer.asked += block
        head, end, body = peer.asked.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= (int(length[1]) if length else 0):
            peer.asked = b""
            self._answer(peer, head, body)

    def _answer(self, peer: Peer, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if method == b"GET":
            peer.send(wire.LISTS.get(path.decode(), _UNKNOWN))
            return
        wish = json.loads(body)
        peer.tokens = wish.get("max_tokens") or 16
        peer.pace_ns = (wish.get("seed") or 0) * 1000
        if not wish.get("stream"):
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
    """Serve on the loopback port given."""
    end_with_parent()
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024) as listener:
        Backend(listener).run()


if __name__ == "__main__":
    main()

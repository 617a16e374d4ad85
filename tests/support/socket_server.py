"""A backend on socket level: a listening socket, and a function of every connection.

    with SocketServer(script) as backend:
        ...                              # point the shim at backend.url
        backend.until(lambda: backend.asked)
        assert backend.asked[0].json["model"] == "tiny"

A script gets a :class:`Peer` when a connection has been accepted, on a thread of its own; when it returns, the
connection is closed. Ready-made scripts are in ``support.answers``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from flask_shim.lmstudio.http.socket_abort import abort_socket
from support.peer import Peer, PeerClosed, ReceivedRequest
from support.wine import SLOWNESS

DEADLINE_SECONDS = 10.0 * SLOWNESS
_BACKLOG = 128

Script = Callable[[Peer], object]


class SocketServer:
    """Serves every connection with ``script``, which may be replaced at any time; a context manager.

    ``peers`` are all connections and ``asked`` all requests so far, the oldest first.
    """

    def __init__(self, script: Script, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self.asked: list[ReceivedRequest] = []
        self.failures: list[Exception] = []
        self.changed = threading.Condition()
        self.is_running = True
        """Whether it answers: neither frozen nor unplugged."""
        self._is_plugged_in = True
        self._is_accepting = True
        self._fillers: list[socket.socket] = []
        self._listener = socket.create_server((host, port), backlog=_BACKLOG)
        self.host, self.port = self._listener.getsockname()[:2]
        self.url = f"http://{host}:{self.port}"
        self._threads = [threading.Thread(target=self._accept, name="socket_server", daemon=True)]
        self._threads[0].start()

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return len(self.peers)

    @property
    def open(self) -> int:
        """How many connections are open: neither has the script ended nor was the other side seen to close."""
        return sum(not peer.ended and peer.closed_at is None for peer in self.peers)

    @property
    def gone(self) -> list[Peer]:
        """The connections that the other side closed, as far as their scripts were there to notice."""
        return [peer for peer in self.peers if peer.closed_at is not None]

    def asked_for(self, path: str) -> list[ReceivedRequest]:
        """Return the requests for one path."""
        return [asked for asked in self.asked if asked.path == path]

    def until(self, is_so: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until ``is_so()`` is true of what came in; fail after a deadline."""
        with self.changed:
            assert self.changed.wait_for(is_so, seconds), f"did not happen within {seconds} s; asked: {self.asked}"

    def freeze(self) -> None:
        """Accept connections and read from them, but send nothing until :meth:`recover`."""
        self.is_running = False

    def unplug(self) -> None:
        """Leave connection attempts without an answer, as a machine without a network, and send nothing.

        The queue of the listening socket is full then; Windows would refuse the connections instead.
        """
        self.is_running = self._is_plugged_in = False
        waking = socket.create_connection((self.host, self.port))  # ends the thread's accept()
        with self.changed:
            assert self.changed.wait_for(lambda: not self._is_accepting, DEADLINE_SECONDS)
        self._listener.listen(0)
        self._fillers = [waking, *(socket.socket() for _ in range(2))]
        for filler in self._fillers[1:]:
            filler.setblocking(False)
            filler.connect_ex((self.host, self.port))

    def recover(self) -> None:
        """Undo :meth:`freeze` or :meth:`unplug`, and go on with everything that waits."""
        self._listener.listen(_BACKLOG)
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        with self.changed:
            self.is_running = self._is_plugged_in = True
            self.changed.notify_all()

    def stop(self) -> None:
        """Close everything and end all threads; raise what went wrong in a script. Safe to call twice."""
        with contextlib.suppress(OSError):  # Linux wakes accept() by this, others by the close
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for filler in self._fillers:
            filler.close()
        with self.changed:
            self._is_plugged_in = True  # the thread may wait for it
            self.changed.notify_all()
            peers, threads = list(self.peers), list(self._threads)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
            for peer in peers:
                abort_socket(peer.sock)
            for thread in threads:
                thread.join(0.05)
        failures, self.failures = self.failures, []
        if failures:
            raise failures[0]

    def __enter__(self) -> SocketServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # stopped
            peer = Peer(sock, self)
            thread = threading.Thread(target=self._serve, args=(peer,), name="socket_server-peer", daemon=True)
            with self.changed:
                self.peers.append(peer)
                self._threads.append(thread)
                thread.start()  # stop() joins what it finds here
                self.changed.notify_all()
            with self.changed:
                self._is_accepting = self._is_plugged_in
                self.changed.notify_all()
                self.changed.wait_for(lambda: self._is_plugged_in)
                self._is_accepting = True

    def _serve(self, peer: Peer) -> None:
        try:
            self.script(peer)
        except PeerClosed:
            pass
        except Exception as exc:  # noqa: BLE001 - raised in the test by stop()
            self.failures.append(exc)
        finally:
            peer.sock.close()
            with self.changed:
                peer.ended = True
                self.changed.notify_all()

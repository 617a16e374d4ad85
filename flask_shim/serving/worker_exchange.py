"""Questions between the workers of one server: each answers the others on a local socket or a named pipe."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask_shim.config import ConfigError

log = logging.getLogger(__name__)

LONGEST_ADDRESS = 103
"""Bytes in the path of a local socket: macOS has room for 104 with the null byte, Linux for 108."""

QUESTIONS_AT_ONCE = 64

ANSWER_SECONDS = 2.0
"""How long one other worker is waited for."""


@contextmanager
def exchange_addresses(workers: int) -> Iterator[tuple[str, ...]]:
    """Yield one address for each worker, which no other user of this machine can take."""
    if sys.platform == "win32":
        token = secrets.token_hex(16)
        yield tuple(rf"\\.\pipe\flask-shim-{token}-{number}" for number in range(workers))
        return
    try:
        made = TemporaryDirectory(prefix="flask-shim-")  # only its owner may enter it
    except OSError as exc:
        raise ConfigError((f"SHIM_WORKERS={workers}: {exc.strerror}. Set TMPDIR to a folder for sockets.",)) from exc
    with made as folder:
        addresses = tuple(str(Path(folder, str(number))) for number in range(workers))
        if len(os.fsencode(addresses[-1])) > LONGEST_ADDRESS:
            raise ConfigError((f"SHIM_WORKERS={workers}: {folder} is too long for sockets. Set TMPDIR to another.",))
        yield addresses


def serve_answers(address: str, answer: Callable[[str, str], Any]) -> Listener:
    """Answer each question that comes to ``address``, on a thread that ends with the process.

    ``answer`` gets the question and its argument; what it returns is pickled.
    """
    if sys.platform != "win32":
        Path(address).unlink(missing_ok=True)  # of a worker that died
    listener = Listener(address, backlog=QUESTIONS_AT_ONCE)

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError as exc:
                log.warning("this worker is missing in /metrics and /shim/ from now on: %s", exc)
                return
            try:
                with connection:
                    if connection.poll(ANSWER_SECONDS):
                        connection.send(answer(*connection.recv()))
            except (OSError, EOFError):
                log.debug("the worker that asked is gone")
            except Exception:
                log.exception("a question of another worker could not be answered")

    threading.Thread(target=serve, name="shim-exchange", daemon=True).start()
    return listener


def ask(addresses: Iterable[str], question: str, argument: str = "") -> Iterator[Any]:
    """Yield the answers of the workers at ``addresses``; one that does not answer is left out."""
    for address in addresses:
        with suppress(OSError, EOFError), _connect(address) as connection:  # it is being replaced, or is stopping
            connection.send((question, argument))
            if connection.poll(ANSWER_SECONDS):
                yield connection.recv()
            else:
                log.warning("a worker does not answer within %g s: question=%s", ANSWER_SECONDS, question)


if sys.platform == "win32":
    _connect = Client
else:

    def _connect(address: str) -> Connection[Any, Any]:
        """Connect to a worker; raise OSError at once if a stopped one has as many questions as it can have.

        The library would wait for it without a limit.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connecting:
            connecting.setblocking(False)
            connecting.connect(address)
            connecting.setblocking(True)
            return Connection(connecting.detach())

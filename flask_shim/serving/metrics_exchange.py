"""Metrics of all workers in one scrape: each worker answers the others on a local socket or a named pipe."""

from __future__ import annotations

import logging
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Listener
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import Metric

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
"""How long a scrape waits for one other worker."""


@contextmanager
def exchange_addresses(workers: int) -> Iterator[tuple[str, ...]]:
    """Yield one address for each worker, which no other user of this machine can take."""
    if sys.platform == "win32":
        token = secrets.token_hex(16)
        yield tuple(rf"\\.\pipe\flask-shim-{token}-{number}" for number in range(workers))
        return
    with TemporaryDirectory(prefix="flask-shim-") as folder:  # only its owner may enter it
        yield tuple(str(Path(folder, str(number))) for number in range(workers))


def serve_metrics(address: str, collect: Callable[[], Iterable[Metric]]) -> Listener:
    """Answer every connection to ``address`` with this worker's metrics, on a thread that ends with the process."""
    if sys.platform != "win32":
        Path(address).unlink(missing_ok=True)  # of a worker that died
    listener = Listener(address)

    def answer() -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError as exc:
                log.warning("this worker is missing in /metrics from now on: %s", exc)
                return
            with suppress(OSError), connection:  # the worker that asked has gone
                connection.send(list(collect()))

    threading.Thread(target=answer, name="shim-metrics", daemon=True).start()
    return listener


def collect_from(addresses: Iterable[str]) -> Iterator[Metric]:
    """Yield the metrics of the workers at ``addresses``; one that does not answer is left out."""
    for address in addresses:
        with suppress(OSError, EOFError), Client(address) as connection:  # it is being replaced, or is stopping
            if connection.poll(ANSWER_SECONDS):
                yield from connection.recv()

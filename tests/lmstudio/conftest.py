"""What the tests of the client have in common: a clock to turn, and clients of rude backends."""

from __future__ import annotations

import pytest

from flask_shim.lmstudio import Link, LMStudio
from flask_shim.lmstudio.calls import Watchdog


class Clock:
    """Monotonic seconds that pass when a test says so."""

    now = 1000.0

    def monotonic(self):
        return self.now

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client_of():
    """Return a function that makes a client of a backend's address; all are closed at the end."""
    opened = []

    def client(url, **link):
        client = LMStudio(Link(base_url=url, **{"connect_retries": 0, "retry_backoff": 0.01, **link}))
        client._transport.watchdog = Watchdog(tick_seconds=0.01)
        opened.append(client)
        return client

    yield client
    for one in opened:
        one.close()

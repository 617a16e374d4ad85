"""Workers ask each other for their metrics."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from flask_shim.serving import metrics_exchange
from flask_shim.serving.metrics_exchange import collect_from, exchange_addresses, serve_metrics


@pytest.fixture
def addresses():
    with exchange_addresses(3) as found:
        yield found


@pytest.fixture
def serve(addresses):
    with contextlib.ExitStack() as listeners:
        yield lambda address, collect: listeners.enter_context(serve_metrics(address, collect))


def registry(count):
    made = CollectorRegistry()
    Counter("shim_things", "Things.", registry=made).inc(count)
    return made


def totals(addresses):
    samples = (sample for metric in collect_from(addresses) for sample in metric.samples)
    return [sample.value for sample in samples if sample.name == "shim_things_total"]


def test_metrics_of_all_others_are_collected_each_time(addresses, serve):
    for count, address in enumerate(addresses, 1):
        serve(address, registry(count).collect)
    assert totals(addresses) == [1, 2, 3]
    assert totals(addresses[1:]) == [2, 3]


def test_worker_that_is_not_there_is_left_out(addresses, serve):
    serve(addresses[2], registry(3).collect)
    assert totals(addresses) == [3]


def test_worker_that_hangs_is_left_out(addresses, serve, monkeypatch):
    monkeypatch.setattr(metrics_exchange, "ANSWER_SECONDS", 0.1)
    may_go_on = threading.Event()
    serve(addresses[0], lambda: may_go_on.wait(20) and ())
    serve(addresses[1], registry(2).collect)
    assert totals(addresses[:2]) == [2]
    may_go_on.set()


def test_client_that_disconnects_does_not_end_the_service(addresses, serve):
    serve(addresses[0], registry(1).collect)
    for _ in range(3):
        metrics_exchange.Client(addresses[0]).close()
    assert totals(addresses[:1]) == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes leave no file")
def test_replaced_worker_takes_over_and_nothing_is_left():
    with exchange_addresses(1) as (address,):
        folder = Path(address).parent
        assert folder.stat().st_mode & 0o077 == 0
        Path(address).touch()
        with serve_metrics(address, registry(7).collect):
            assert totals([address]) == [7]
    assert not folder.exists()

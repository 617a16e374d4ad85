"""Workers ask each other questions."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from multiprocessing.connection import Listener
from pathlib import Path

import pytest

from flask_shim.config import ConfigError
from flask_shim.serving import worker_exchange
from flask_shim.serving.worker_exchange import ask, exchange_addresses, serve_answers


@pytest.fixture
def addresses():
    with exchange_addresses(3) as found:
        yield found


@pytest.fixture
def serve(addresses):
    with contextlib.ExitStack() as listeners:
        yield lambda address, answer: listeners.enter_context(serve_answers(address, answer))


def answers(addresses):
    return list(ask(addresses, "which", "argument"))


def says(what):
    return lambda question, argument: (what, question, argument)


def said(*whats):
    return [(what, "which", "argument") for what in whats]


def test_all_others_answer_each_time(addresses, serve):
    for number, address in enumerate(addresses, 1):
        serve(address, says(number))
    assert answers(addresses) == said(1, 2, 3)
    assert answers(addresses[1:]) == said(2, 3)


def test_worker_that_is_not_there_is_left_out(addresses, serve):
    serve(addresses[2], says(3))
    assert answers(addresses) == said(3)


def test_hanging_worker_is_left_out(addresses, serve, monkeypatch):
    monkeypatch.setattr(worker_exchange, "ANSWER_SECONDS", 0.1)
    may_go_on = threading.Event()
    serve(addresses[0], lambda *_: may_go_on.wait(20))
    serve(addresses[1], says(2))
    assert answers(addresses[:2]) == said(2)
    may_go_on.set()


def test_client_that_disconnects_does_not_end_the_service(addresses, serve):
    serve(addresses[0], says(1))
    for _ in range(3):
        worker_exchange.Client(addresses[0]).close()
    assert answers(addresses[:1]) == said(1)


def test_question_without_an_answer_does_not_end_the_service(addresses, serve):
    def fails_once(question, argument):
        if not failed:
            failed.append(question)
            raise ValueError
        return (1, question, argument)

    failed = []
    serve(addresses[0], fails_once)
    assert answers(addresses[:1]) == []
    assert answers(addresses[:1]) == said(1)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes leave no file")
def test_replaced_worker_takes_over_and_nothing_is_left():
    with exchange_addresses(1) as (address,):
        folder = Path(address).parent
        assert folder.stat().st_mode & 0o077 == 0
        Path(address).touch()
        with serve_answers(address, says(7)):
            assert answers([address]) == said(7)
    assert not folder.exists()


def test_a_worker_that_does_not_answer_is_in_the_log(monkeypatch, caplog):
    monkeypatch.setattr(worker_exchange, "ANSWER_SECONDS", 0.05)
    with exchange_addresses(1) as (address,), Listener(address):
        assert list(ask([address], "reload")) == []
    assert "a worker does not answer within 0.05 s: question=reload" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes need no folder")
@pytest.mark.parametrize("folder", ["missing", "x" * 100])
def test_workers_need_a_folder_for_sockets(monkeypatch, tmp_path, folder):
    (tmp_path / ("x" * 100)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / folder))
    with pytest.raises(ConfigError, match=r"^SHIM_WORKERS=2: .* Set TMPDIR"), exchange_addresses(2):
        pass
    assert list((tmp_path / ("x" * 100)).iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes have no queue")
@pytest.mark.timeout(20)
def test_stopped_worker_with_a_full_queue_is_left_out(addresses, serve):
    serve(addresses[1], says(2))
    with socket.socket(socket.AF_UNIX) as stopped, contextlib.ExitStack() as clients:
        stopped.bind(addresses[0])
        stopped.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(addresses[0])
        assert answers(addresses[:2]) == said(2)

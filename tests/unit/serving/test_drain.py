"""A shim that is stopped while it works: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import requests
from support.answers import endless, lm_studio, silent, streams
from support.ports import accepts, unused_port
from support.processes import START_SECONDS, ShimProcess, clean_environment
from support.resources import resources_of
from support.wire import Wire

SIGNALS = [signal.SIGINT, signal.SIGTERM] if sys.platform != "win32" else [signal.CTRL_BREAK_EVENT]
CUT = "server is shutting down, please try again later"


class Story:
    """A chat whose second half waits for a word from the test."""

    def __init__(self):
        self.goes_on = threading.Event()
        self.script = lm_studio(streams("once ", lambda _: self.goes_on.wait(10), "upon a time"))


def lines_of(response):
    return (json.loads(line) for line in response.iter_lines())


@pytest.mark.parametrize("number", SIGNALS)
def test_running_answer_ends_before_the_shim_does(socket_server, number):
    story = Story()
    with ShimProcess(socket_server(story.script).url) as shim, shim.chat() as response:
        lines = lines_of(response)
        assert next(lines)["message"]["content"] == "once "
        shim.signal(number)
        shim.until("draining in_flight=1 ")
        story.goes_on.set()
        rest = list(lines)
        assert "".join(line["message"]["content"] for line in rest) == "upon a time"
        assert rest[-1]["done"] is True
        assert shim.wait() == 0
    assert "drained aborted=0" in shim.log
    assert "Traceback" not in shim.log


def test_new_work_is_refused_while_old_work_ends(socket_server):
    story = Story()
    backend = socket_server(story.script)
    with ShimProcess(backend.url) as shim, shim.chat() as response:
        lines = lines_of(response)
        next(lines)
        shim.signal()
        shim.until("draining in_flight=1 ")
        refused = shim.chat("another one")
        assert (refused.status_code, refused.json()) == (503, {"error": CUT})
        assert refused.headers["Retry-After"]
        assert shim.get("/health").status_code == 200
        assert shim.get("/ready").status_code == 503
        story.goes_on.set()
        assert list(lines)[-1]["done"] is True
        assert shim.wait() == 0
    assert len(backend.asked_for("/v1/chat/completions")) == 1


def test_answer_that_takes_too_long_ends_with_one_error_line(socket_server):
    backend = socket_server(lm_studio(endless()))
    with ShimProcess(backend.url, SHIM_DRAIN_SECONDS="0.3") as shim, shim.chat() as response:
        lines = lines_of(response)
        next(lines)
        shim.signal()
        rest = list(lines)
        assert rest[-1] == {"error": CUT}
        assert all("error" not in line for line in rest[:-1])
        assert shim.wait() == 0
        backend.until(lambda: not backend.open)
    assert "drained aborted=1" in shim.log


def test_answer_that_has_not_begun_gets_a_status(socket_server):
    backend = socket_server(lm_studio(silent))
    with ShimProcess(backend.url, SHIM_DRAIN_SECONDS="0") as shim:
        answers = []
        client = threading.Thread(target=lambda: answers.append(shim.chat()))
        client.start()
        backend.until(lambda: backend.asked_for("/v1/chat/completions"))
        shim.signal()
        client.join()
        assert (answers[0].status_code, answers[0].json()) == (503, {"error": CUT})
        assert shim.wait() == 0


@contextmanager
def console_that_stands_still():
    """Give the end of a full pipe, which blocks like a console with marked text."""
    unread, console = os.pipe()
    os.set_blocking(console, False)
    with suppress(BlockingIOError):
        while True:
            os.write(console, b"x")
    os.set_blocking(console, True)
    try:
        yield console
    finally:
        os.close(console)
        os.close(unread)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be filled there without waiting")
@pytest.mark.parametrize("signals", [1, 2])
def test_console_that_stands_still_keeps_no_process(socket_server, tmp_path, until, signals):
    backend = socket_server(lm_studio(endless()))
    settings = {
        "SHIM_HOST": "127.0.0.1",
        "SHIM_PORT": str(unused_port()),
        "SHIM_LMSTUDIO_BASE": backend.url,
        "SHIM_DATA_DIR": str(tmp_path),
        "SHIM_LOG_FILE": str(tmp_path / "shim.log"),
        "SHIM_DRAIN_SECONDS": "60",
    }
    command = [sys.executable, "-m", "flask_shim", "serve"]
    with (
        console_that_stands_still() as console,
        subprocess.Popen(
            command, env=clean_environment() | settings, stdout=subprocess.DEVNULL, stderr=console
        ) as process,
    ):
        chat = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
        with requests.Session() as session:
            url = f"http://127.0.0.1:{settings['SHIM_PORT']}"
            until(lambda: accepts(int(settings["SHIM_PORT"])), START_SECONDS)
            with session.post(f"{url}/api/chat", json=chat, stream=True, timeout=10) as response:
                lines = response.iter_lines()  # kept: the connection is closed when it is collected
                next(lines)
                process.send_signal(signal.SIGTERM)
                until(lambda: "draining in_flight=1" in (tmp_path / "shim.log").read_text(encoding="utf-8"))
                if signals == 2:
                    process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0


def test_answer_is_sent_to_its_end_in_the_time_that_is_left(socket_server, until):
    backend = socket_server(lm_studio(streams(*["x" * 100_000] * 80)))
    with ShimProcess(backend.url) as shim, Wire(shim.port, receive_bytes=65536) as wire:
        wire.ask("/api/chat", {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]})
        wire.until(b"xxx")
        until(lambda: resources_of(shim).slots == 0)  # all is said, and most of it lies in the shim
        shim.signal()
        shim.until("draining in_flight=0 ")
        time.sleep(1.5)  # more than the last bytes have where no other time is left
        assert wire.answer().lines[-1]["done"] is True
        assert shim.wait() == 0
    assert "drained aborted=0" in shim.log


def test_client_that_does_not_take_its_answer_is_cut_and_counted(socket_server, until):
    backend = socket_server(lm_studio(streams(*["x" * 100_000] * 80)))
    with ShimProcess(backend.url, SHIM_DRAIN_SECONDS="0") as shim, Wire(shim.port, receive_bytes=65536) as wire:
        wire.ask("/api/chat", {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]})
        wire.until(b"xxx")
        until(lambda: resources_of(shim).slots == 0)
        shim.signal()
        assert shim.wait() == 0
    assert "drained aborted=1" in shim.log


def test_second_signal_ends_at_once(socket_server):
    with ShimProcess(socket_server(lm_studio(endless())).url, SHIM_DRAIN_SECONDS="60") as shim, shim.chat() as response:
        lines = response.iter_lines()  # kept: the connection is closed when it is collected
        next(lines)
        shim.signal()
        shim.until("draining in_flight=1 ")
        shim.signal()
        assert shim.wait(5) == 0
    assert "forced" in shim.log
    assert "Traceback" not in shim.log


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
def test_closed_terminal_and_idle_connections_end_nothing():
    with ShimProcess() as shim:
        shim.signal(signal.SIGHUP)
        shim.until("not reloaded: No flask-shim.toml was found at start")
        assert shim.get("/health").status_code == 200
        shim.signal()
        assert shim.wait(5) == 0
    assert "draining in_flight=0 " in shim.log


def test_before_it_drains_it_is_not_ready_and_still_works(socket_server):
    with ShimProcess(socket_server(lm_studio(streams("one"))).url, SHIM_DRAIN_DELAY="60") as shim:
        shim.signal()
        shim.until("not ready seconds=60")
        ready, chat = shim.get("/ready"), shim.chat()
        assert (ready.status_code, ready.headers["Connection"]) == (503, "close")
        assert (chat.status_code, chat.headers["Connection"]) == (200, "close")
        shim.signal()
        assert shim.wait(5) == 0

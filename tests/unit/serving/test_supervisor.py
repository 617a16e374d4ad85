"""Several processes behind one port."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
import requests
from support.answers import endless, lm_studio
from support.ports import accepts, unused_port
from support.processes import START_SECONDS, ShimProcess, clean_environment
from support.wire import send_request

from flask_shim.serving import supervisor
from flask_shim.serving.supervisor import Supervisor, pause_before_restart, share_of


@pytest.mark.parametrize(
    ("lived", "failures", "pause"), [(0, 1, 1), (9, 2, 2), (0, 3, 4), (0, 6, 30), (0, 99, 30), (10, 1, 0), (3600, 0, 0)]
)
def test_worker_that_crashes_early_is_restarted_later_each_time(lived, failures, pause):
    assert pause_before_restart(lived, failures) == pause


def test_workers_share_the_limits(config):
    whole = config(SHIM_WORKERS="3", SHIM_MAX_STREAMS="64", SHIM_THREADS="70", SHIM_CONNECTION_LIMIT="100")
    part = share_of(whole, 2)
    assert (part.workers, part.max_streams, part.threads, part.connection_limit) == (1, 22, 28, 34)


def test_workers_share_the_streams_of_each_backend_also_after_a_reload(config, tmp_path):
    path = tmp_path / "x.toml"
    table = '[[backend]]\nname = "a"\nurl = "a"\nmax_streams = {}\n[[backend]]\nname = "b"\nurl = "b"\n'
    path.write_text(table.format(4), encoding="utf-8")
    part = share_of(config(SHIM_WORKERS="3", SHIM_CONFIG=str(path)), 2)
    assert [each.max_streams for each in part.file.backends] == [2, None]
    path.write_text(table.format(9), encoding="utf-8")
    assert [each.max_streams for each in part.with_current_file().file.backends] == [3, None]


def test_one_worker_preloads_for_all(config):
    whole = config(SHIM_WORKERS="3", SHIM_PRELOAD="a,b")
    assert [share_of(whole, number).preload for number in (1, 2, 3)] == [("a", "b"), (), ()]


def test_workers_write_log_files_of_their_own(config, tmp_path):
    whole = config(SHIM_WORKERS="2", SHIM_LOG_FILE=str(tmp_path / "shim.log"))
    assert [share_of(whole, number).log_file for number in (1, 2)] == [tmp_path / "shim-1.log", tmp_path / "shim-2.log"]
    assert share_of(config(SHIM_WORKERS="2"), 1).log_file is None


def test_worker_that_the_system_refuses_is_started_later(config, monkeypatch, caplog):
    def refuse(_):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(supervisor, "_spawn", refuse)
    parent = Supervisor(config(SHIM_WORKERS="2"), [])
    parent._start_due()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "worker=1 can't be started",
        "worker=2 can't be started",
    ]
    assert min(parent._due.values()) > time.monotonic() + 20


@pytest.mark.skipif(sys.platform == "win32", reason="only a shell of POSIX closes a stream")
def test_workers_serve_though_standard_input_is_closed(socket_server, tmp_path, until):
    port = unused_port()
    settings = {
        "SHIM_HOST": "127.0.0.1",
        "SHIM_PORT": str(port),
        "SHIM_LMSTUDIO_BASE": socket_server(lm_studio(endless())).url,
        "SHIM_DATA_DIR": str(tmp_path),
        "SHIM_WORKERS": "2",
    }
    command = ["sh", "-c", f"exec {shlex.quote(sys.executable)} -m flask_shim serve <&-"]
    with subprocess.Popen(
        command, env=clean_environment() | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: accepts(port), START_SECONDS)
            for _ in range(4):
                assert send_request(port, "/health").status == 200
        finally:
            process.terminate()


def pids(shim, count):
    """Wait until that many workers have been started; return their process ids, the first one first."""
    shim.until(rf"(?s)(started worker=.*){{{count}}}")
    return [int(pid) for pid in re.findall(r"started worker=\d+ pid=(\d+)", shim.log)]


LITTLE_MEMORY = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))
runpy.run_module("flask_shim", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count the stacks of threads")
def test_worker_that_is_refused_its_threads_says_so_without_a_traceback(tmp_path):
    settings = {"SHIM_HOST": "127.0.0.1", "SHIM_PORT": "0", "SHIM_DATA_DIR": str(tmp_path), "SHIM_MAX_STREAMS": "1000"}
    command = [sys.executable, "-c", LITTLE_MEMORY, "serve", "--workers", "2"]
    environment = clean_environment() | settings
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, encoding="utf-8") as process:
        lines, is_stopped = [], False
        for line in process.stderr:
            lines.append(line)
            if "restart in" in line and not is_stopped:  # the second signal would end it at once
                is_stopped = True
                process.terminate()
        assert process.wait(START_SECONDS) == 0
    assert any("worker=1 can't serve: SHIM_THREADS=" in line for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_workers_answer_drain_and_leave_nothing(socket_server):
    backend = socket_server(lm_studio(endless()))
    with ShimProcess(backend.url, SHIM_WORKERS="2", SHIM_DRAIN_SECONDS="0.3") as shim, shim.chat() as response:
        lines = response.iter_lines()
        next(lines)
        assert len(pids(shim, 2)) == 2
        shim.signal()
        assert "error" in json.loads(list(lines)[-1])
        assert shim.wait() == 0  # reads to the end of what all processes of the supervisor write: they are gone
    assert shim.log.count("drained aborted=") == 2
    assert "drained aborted=1" in shim.log
    assert "Traceback" not in shim.log


def test_one_scrape_has_the_metrics_of_all_workers(until):
    def workers():
        return set(re.findall(r'worker="(\d)"', requests.get(f"{shim.url}/metrics", timeout=20).text))

    with ShimProcess(SHIM_WORKERS="2") as shim:
        until(lambda: workers() == {"1", "2"})
        for _ in range(20):
            assert requests.get(f"{shim.url}/ping", timeout=20).status_code == 200  # each on a new connection
        for _ in range(3):
            text = requests.get(f"{shim.url}/metrics", timeout=20).text
            counts = re.findall(r'shim_requests_total\{.*route="/ping".*worker="([12])"\} ([0-9.]+)', text)
            assert sum(float(count) for _, count in counts) == 20


def test_all_workers_reload_and_new_ones_too(tmp_path, until):
    path = tmp_path / "x.toml"
    path.write_text("", encoding="utf-8")
    with ShimProcess(SHIM_WORKERS="2", SHIM_CONFIG=str(path)) as shim:
        until(lambda: shim.log.count("reloaded file=") == 2)  # at the start of each
        path.write_text("[model.a]\ntop_k = 1", encoding="utf-8")
        assert shim.post("/shim/reload", None).json()["models"] == 1
        until(lambda: shim.log.count("models=1") == 2)
        path.write_text("[x]", encoding="utf-8")
        assert shim.post("/shim/reload", None).status_code == 409
        shim.until("not reloaded: .*x.toml, line 1: x: No such table")
        if hasattr(signal, "SIGHUP"):
            path.write_text("[model.a]\n[model.b]", encoding="utf-8")
            shim.signal(signal.SIGHUP)
            until(lambda: shim.log.count("models=2") == 2)


@pytest.mark.skipif(sys.platform == "win32", reason="no way to end one process there that ends it as a crash does")
def test_dead_workers_are_replaced_and_orphaned_workers_end():
    with ShimProcess(SHIM_WORKERS="2") as shim:
        os.kill(pids(shim, 2)[0], signal.SIGKILL)
        shim.until("worker=1 ended code=-9 .* restart in 1 s")
        shim.session.close()  # the connection it keeps may have been to that one
        assert shim.get("/health").status_code == 200
        assert len(pids(shim, 3)) == 3
        shim.process.kill()
        shim.wait()  # as above

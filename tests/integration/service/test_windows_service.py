"""A real service in Wine's service manager: it serves, drains when it is stopped, and says why it can't start.

Only under Wine, where it changes no machine. Wine does not give a service the variables in its Environment value, so
the process begins with a script that sets them.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from support.answers import endless, event, lm_studio, streams
from support.ports import unused_port

import flask_shim
from flask_shim.config import Config
from flask_shim.deploy.service.steps import State, StepFailed, run_program
from flask_shim.deploy.service.windows import NAME, WindowsServices

IS_WINE = sys.platform == "win32" and hasattr(ctypes.windll.ntdll, "wine_get_version")

pytestmark = [
    pytest.mark.skipif(not IS_WINE, reason="creates a service of the machine: only under Wine"),
    pytest.mark.timeout(180),
]

STARTS_WITHIN_SECONDS = 60

BEGIN = rf"""
import os, sys, winreg
with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Services\{NAME}") as key:
    os.environ.update(line.split("=", 1) for line in winreg.QueryValueEx(key, "Environment")[0])
sys.path.insert(0, {str(Path(flask_shim.__file__).parents[1])!r})
from flask_shim.cli import main
main()
"""


@pytest.fixture
def service(tmp_path, until):
    """Return a function that installs the service with these settings; it is removed at the end."""
    folder = tmp_path / "Päckchen für alle"
    folder.mkdir()
    begin = folder / "begin here.py"
    begin.write_text(BEGIN, encoding="utf-8")
    manager = replace(
        WindowsServices.here(), folder=folder, python=sys.executable, arguments=(str(begin), "service-host")
    )

    def installed(**settings):
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        perform(manager.install(Config(), text))
        return manager

    yield installed
    perform(manager.remove(manager.state(run_program)))
    # A removed service is listed until its process has ended.
    until(lambda: manager.state(run_program) is State.NOT_INSTALLED)


def perform(steps):
    for step in steps:
        step.perform(run_program)


def test_a_service_serves_until_it_is_stopped(service, socket_server, until):
    backend, port = socket_server(lm_studio(endless())), unused_port()
    manager = service(SHIM_PORT=port, SHIM_LMSTUDIO_BASE=backend.url)
    assert manager.state(run_program) is State.STOPPED
    perform(manager.start())
    assert manager.state(run_program) is State.RUNNING
    until(lambda: answers(port), STARTS_WITHIN_SECONDS)
    perform(manager.stop())
    assert manager.state(run_program) is State.STOPPED
    log = Path(manager.log).read_text()
    assert "stopping signal=SIGINT" in log
    assert "drained" in log


def test_a_stopped_service_lets_a_running_answer_end(service, socket_server, until):
    goes_on = threading.Event()
    backend = socket_server(lm_studio(streams("one ", lambda _: goes_on.wait(60), event("two"))))
    port = unused_port()
    manager = service(SHIM_PORT=port, SHIM_LMSTUDIO_BASE=backend.url)
    perform(manager.start())
    until(lambda: answers(port), STARTS_WITHIN_SECONDS)
    with requests.post(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json={"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Count."}]},
        stream=True,
        timeout=60,
    ) as answer:
        lines = answer.iter_lines()
        next(lines)
        stopping = threading.Thread(target=perform, args=(manager.stop(),))
        stopping.start()
        until(lambda: "stopping signal" in Path(manager.log).read_text(), 30)
        goes_on.set()
        assert list(filter(None, lines))[-1] == b"data: [DONE]"
    stopping.join(60)
    assert manager.state(run_program) is State.STOPPED


def test_a_service_with_bad_settings_stops_with_the_reason(service, until):
    manager = service(SHIM_PORT="many")
    with contextlib.suppress(StepFailed):  # it may have stopped before the service manager looked
        perform(manager.start())
    until(lambda: manager.state(run_program) is State.STOPPED, STARTS_WITHIN_SECONDS)
    assert "SHIM_PORT" in Path(manager.log).read_text()


def answers(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/api/version", timeout=5).ok
    except requests.ConnectionError:
        return False

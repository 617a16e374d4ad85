"""What the shim detects of a server that it did not start."""

from __future__ import annotations

import logging
import threading
import urllib.request

import pytest
from waitress.server import create_server

from flask_shim.middleware.server_check import check_server
from flask_shim.models.slots import Slots
from flask_shim.serving._waitress import shut_down


class Channel:
    """The part of waitress' connection that is looked at."""

    def __init__(self, **adjustments):
        fine = {"threads": 72, "channel_request_lookahead": 1, "connection_limit": 500}
        self.adj = type("Adjustments", (), fine | {"clear_untrusted_proxy_headers": False} | adjustments)()

    def check_client_disconnected(self):
        return False


def environ(**adjustments):
    return {"waitress.client_disconnected": Channel(**adjustments).check_client_disconnected}


@pytest.mark.parametrize(("threads", "slots"), [(1, 1), (2, 1), (4, 2), (64, 62), (65, 64), (72, 64)])
def test_slots_stay_below_the_threads(threads, slots):
    given = Slots(64)
    check_server(environ(threads=threads), given)
    assert given.total == slots


@pytest.mark.parametrize(
    ("threads", "lookahead", "hides", "options"),
    [
        (4, 0, True, "--threads=72 --channel-request-lookahead=1 --no-clear-untrusted-proxy-headers"),
        (4, 1, False, "--threads=72"),
        (72, 0, False, "--channel-request-lookahead=1"),
        (72, 1, True, "--no-clear-untrusted-proxy-headers"),
    ],
)
def test_one_warning_names_the_options(caplog, threads, lookahead, hides, options):
    slots = Slots(64)
    for _ in range(3):
        check_server(
            environ(threads=threads, channel_request_lookahead=lookahead, clear_untrusted_proxy_headers=hides), slots
        )
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().endswith(f"; start it with {options}")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"waitress.client_disconnected": lambda: False},
        environ(),
        environ(threads="4", channel_request_lookahead=None),
    ],
)
def test_server_that_is_fine_or_unknown_changes_nothing(caplog, environ):
    slots = Slots(64)
    check_server(environ, slots)
    assert slots.total == 64
    assert caplog.records == []


@pytest.mark.parametrize(
    ("platform", "limit", "warns"), [("win32", 501, True), ("win32", 500, False), ("linux", 501, False)]
)
def test_connections_beyond_windows_select_are_warned_of(caplog, monkeypatch, platform, limit, warns):
    monkeypatch.setattr("sys.platform", platform)
    check_server(environ(connection_limit=limit), Slots(64))
    assert ["--connection-limit=500" in record.getMessage() for record in caplog.records] == [True] * warns


def test_real_waitress_is_recognised():
    slots = Slots(64)

    def app(environ, start_response):
        check_server(environ, slots)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    server = create_server(app, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run)
    thread.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.effective_port}"):
        pass
    shut_down([server], seconds=5)
    thread.join()
    assert slots.total == 2

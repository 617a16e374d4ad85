"""What the shim detects of a server that it did not start, also that it serves other machines without a key."""

from __future__ import annotations

import logging
import threading
import urllib.request

import pytest
from support.apps import guarded
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


def test_real_waitress_is_recognized():
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


@pytest.fixture
def asked(caplog):
    """Return a function that asks an app with some settings from some addresses, and gives the warnings."""

    def warnings(*clients, **settings):
        app, _ = guarded(**settings)
        with caplog.at_level(logging.WARNING, "flask_shim.middleware.server_check"):
            for client in clients:
                app.test_client().get("/api/tags", environ_base={"REMOTE_ADDR": client})
        return [record.getMessage() for record in caplog.records if record.name == "flask_shim.middleware.server_check"]

    return warnings


@pytest.mark.parametrize("client", ["192.168.1.20", "fd00::5", "::ffff:10.0.0.1"])
def test_the_first_remote_request_is_logged_once(asked, client):
    (warning,) = asked("127.0.0.1", client, client, "10.9.9.9")
    assert client in warning
    assert "SHIM_API_KEY" in warning
    assert "SHIM_ALLOW_OPEN" in warning


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost", "", "@"])
def test_this_machine_is_nothing_to_tell(asked, client):
    assert asked(client) == []


@pytest.mark.parametrize("settings", [{"api_keys": ("k",)}, {"allow_open": True}], ids=["key", "open on purpose"])
def test_what_is_settled_is_nothing_to_tell(asked, settings):
    assert asked("192.168.1.20", **settings) == []

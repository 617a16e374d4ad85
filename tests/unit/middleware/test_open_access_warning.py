"""One warning when a foreign server serves other machines without a key."""

from __future__ import annotations

import logging

import pytest
from support.apps import guarded


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

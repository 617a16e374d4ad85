"""How a server is set up for the machine it runs on."""

from __future__ import annotations

import logging

import pytest

from flask_shim.config import Config
from flask_shim.serving import server


@pytest.mark.parametrize(
    ("allowed", "connections"), [(100_000, 1000), (1256, 1000), (1024, 480), (128, 32), (64, 1), (10, 1)]
)
def test_no_more_clients_are_let_in_than_files_may_be_open(monkeypatch, caplog, allowed, connections):
    monkeypatch.setattr(server, "_raise_descriptor_limit", lambda wanted: min(wanted, allowed))
    with caplog.at_level(logging.WARNING):
        assert server._connection_limit(Config()) == connections
    assert bool(caplog.messages) is (connections < 1000)

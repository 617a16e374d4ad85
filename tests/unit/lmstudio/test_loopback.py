"""A backend called localhost is found where LM Studio listens, without asking elsewhere first."""

from __future__ import annotations

import pytest
import urllib3.util.connection
from support.answers import reads, replies
from support.ports import unused_port
from support.transport_requests import read_body

from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.lmstudio.http import loopback

UNUSED = "127.0.0.2"


@pytest.fixture(autouse=True)
def _nothing_known():
    loopback.last_reached.clear()


@pytest.fixture
def tried(monkeypatch):
    """Return the list of the hosts that were connected to."""
    hosts, connect = [], urllib3.util.connection.create_connection

    def create_connection(address, *args, **kwargs):
        hosts.append(address[0])
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", create_connection)
    return hosts


@pytest.fixture
def backend(socket_server):
    """Return a server on 127.0.0.1."""
    return socket_server(reads(replies({"ok": True})))


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST"])
def test_localhost_is_ipv4_first_and_unchanged_in_the_request(name, backend, client_of, tried):
    client = client_of(f"http://{name}:{backend.port}")
    assert read_body(client) == b'{"ok": true}'
    assert tried == ["127.0.0.1"]
    assert backend.asked[0].headers["host"] == f"{name.lower()}:{backend.port}"


def test_the_loopback_that_answered_is_tried_first(backend, client_of, tried, monkeypatch):
    monkeypatch.setattr(loopback, "_LOOPBACKS", (UNUSED, "127.0.0.1"))
    client = client_of(f"http://localhost:{backend.port}")
    for _ in range(2):
        assert read_body(client) == b'{"ok": true}'
    assert tried == [UNUSED, "127.0.0.1", "127.0.0.1"]


def test_two_refusing_loopbacks_give_the_first_error(client_of):
    url = f"http://localhost:{unused_port()}"
    with pytest.raises(BackendUnavailable) as caught:
        read_body(client_of(url))
    assert f"not reachable at {url} (connection refused)" in caught.value.text


def test_other_names_are_left_to_the_system(backend, client_of, tried):
    assert read_body(client_of(backend.url)) == b'{"ok": true}'
    assert tried == ["127.0.0.1"]
    assert loopback.addresses_of("studio.lan", 1234) == ("studio.lan",)
    assert not loopback.last_reached


def test_both_loopbacks_are_tried_for_a_listener(backend, client_of, monkeypatch):
    monkeypatch.setattr(loopback, "_LOOPBACKS", (UNUSED, "127.0.0.1"))
    assert client_of(f"http://localhost:{backend.port}")._transport.is_reachable()
    assert not client_of(f"http://localhost:{unused_port()}")._transport.is_reachable()

"""The private API of urllib3 that the client relies on exists in the installed versions."""

from __future__ import annotations

import pytest
import urllib3
from support.answers import reads, replies
from support.sending import post
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from flask_shim.lmstudio.http import _urllib3

GONE = f"urllib3 {urllib3.__version__} has no %s: adapt flask_shim/lmstudio/http/_urllib3.py and its upper bound"


@pytest.mark.parametrize(
    ("owner", "name"),
    [(HTTPConnection, "_new_conn"), (HTTPConnectionPool, "ConnectionCls")]
    + [(HTTPConnectionPool, name) for name in ("_get_conn", "_put_conn")],
)
def test_private_name_exists(owner, name):
    assert hasattr(owner, name), GONE % name


def test_connection_resolves_the_private_host_name():
    assert HTTPConnection("127.0.0.1")._dns_host == "127.0.0.1", GONE % "_dns_host"


def test_response_receives_its_connection_and_pool(client_of, socket_server):
    with post(client_of(socket_server(reads(replies({}))).url)) as answer:
        raw = answer._body
        assert isinstance(raw, _urllib3.PooledResponse)
        assert isinstance(raw._connection, HTTPConnection), GONE % "_connection"
        assert isinstance(raw._pool, HTTPConnectionPool), GONE % "_pool"


def test_module_names_the_versions_it_was_checked_with():
    assert "urllib3 2.7 and 2.8" in _urllib3.__doc__

"""The private API of urllib3 that the client relies on exists in the installed versions."""

from __future__ import annotations

import urllib3
from urllib3.connection import HTTPConnection

from flask_shim.lmstudio.http import _urllib3

GONE = f"urllib3 {urllib3.__version__} has no %s: adapt flask_shim/lmstudio/http/_urllib3.py and its upper bound"


def test_connection_is_made_with_the_private_function():
    assert hasattr(HTTPConnection, "_new_conn"), GONE % "_new_conn"


def test_connection_resolves_the_private_host_name():
    assert HTTPConnection("127.0.0.1")._dns_host == "127.0.0.1", GONE % "_dns_host"


def test_module_names_the_versions_it_was_checked_with():
    assert "urllib3 2.7 and 2.8" in _urllib3.__doc__

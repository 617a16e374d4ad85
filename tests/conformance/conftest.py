"""One running shim for all rows; what a row changes, it changes under names of its own."""

from __future__ import annotations

import pytest

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from support.demo import Demo
from support.raw_http import exchange


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def ask(demo):
    """Return a function that sends one request to the shim."""

    def exchanged(method, path, body=None, headers=None):
        return exchange(demo.port, method, path, body, headers)

    return exchanged

"""A shim before an LM Studio 0.4 whose model is loaded with little context."""

from __future__ import annotations

import pytest
from support.apps import several_apps
from support.fake_lmstudio_fixtures import one_studio, studio

__all__ = ["one_studio", "studio"]


@pytest.fixture
def client_with(studio, tmp_path):
    """Return a function that gives a client of a shim with these settings."""
    with several_apps(data_dir=tmp_path) as app_of:
        yield lambda **settings: app_of(backend_url=studio.url, **settings).test_client()


@pytest.fixture
def client(client_with):
    """Give a client of a shim without settings."""
    return client_with()

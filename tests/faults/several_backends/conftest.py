"""Several scripted LM Studios behind one shim, in this process."""

from __future__ import annotations

import pytest
from support.backend_pool import pool_apps

from flask_shim.models import pool


@pytest.fixture
def start_pool(tmp_path):
    """Return a function that starts LM Studios by name, and a shim that joins them."""
    with pool_apps(tmp_path) as start:
        yield start


@pytest.fixture
def probes(monkeypatch):
    """Ask failed LM Studios for their lists much more often than usual."""
    monkeypatch.setattr(pool, "PROBE_SECONDS", 0.05)

"""Scripted LM Studios by name, and one shim in front of them."""

from __future__ import annotations

import pytest
from support.backend_pool import pool_apps


@pytest.fixture
def start_pool(tmp_path):
    """Return a function that starts LM Studios by name, and a shim that joins them."""
    with pool_apps(tmp_path) as start:
        yield start

"""Scripted LM Studios by name, and one shim in front of them."""

from __future__ import annotations

import pytest
from support.joined import joined_apps


@pytest.fixture
def joined(tmp_path):
    """Return a function that starts LM Studios by name, and a shim that joins them."""
    with joined_apps(tmp_path) as start:
        yield start

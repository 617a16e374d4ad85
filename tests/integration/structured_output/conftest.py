"""A shim before an LM Studio 0.4."""

from __future__ import annotations

import pytest
from support.fake_lmstudio_fixtures import one_studio, shim, studio

__all__ = ["one_studio", "shim", "studio"]


@pytest.fixture
def client(shim, studio):
    """Give a client of a shim without settings."""
    return shim(studio.url)

"""What the tests of starting and stopping have in common."""

from __future__ import annotations

import pytest

from flask_shim.config import Config


@pytest.fixture
def config():
    """Give the settings of a few variables, and nothing else of the environment."""
    return lambda **texts: Config.from_env(texts, env_file="")

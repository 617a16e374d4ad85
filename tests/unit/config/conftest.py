"""What the tests of the settings have in common: an empty folder, and two ways to read an environment."""

from __future__ import annotations

import pytest

from flask_shim.config import Config, ConfigError, addresses


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Run where no .env of a developer lies, and as on a system that is not Windows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(addresses, "IS_WINDOWS", False)


@pytest.fixture
def read():
    """Give the config of an environment of a few variables."""
    return lambda **environ: Config.from_env(environ)


@pytest.fixture
def problems():
    """Give what is wrong with an environment of a few variables."""

    def refused(**environ):
        with pytest.raises(ConfigError) as caught:
            Config.from_env(environ)
        return caught.value.problems

    return refused

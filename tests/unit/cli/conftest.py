"""Commands that run here, against a backend of a few lines."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from support.fake_lmstudio import FakeLMStudio

from flask_shim.cli import cli


@pytest.fixture
def invoke(tmp_path):
    """Give a function that runs a command here against a backend, with a data folder of its own."""

    def run_here(backend, *arguments, **env):
        arguments = (*arguments, "--lmstudio-url", getattr(backend, "url", backend), "--env-file", "")
        env = {"SHIM_DATA_DIR": str(tmp_path / "data"), **env}
        return CliRunner().invoke(cli, arguments, env=env, prog_name="flask-shim")

    return run_here


@pytest.fixture
def studio():
    """Return a function that starts an LM Studio which remembers what is loaded."""
    running = []

    def of(generation="v1", **models):
        running.append(FakeLMStudio(version=generation, models=models))
        return running[-1]

    yield of
    for one in running:
        one.kill()

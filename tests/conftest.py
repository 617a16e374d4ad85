"""What all tests have in common: processes, waiting with a deadline, socket servers, how hard hypothesis searches."""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings
from support.socket_server import SocketServer
from support.wine import SLOWNESS

DEADLINE_SECONDS = 10.0 * SLOWNESS

NOT_TRACED = ("clients/", "conformance/", "dashboard/", "docs/", "unit/test_layers.py")
"""Tests that coverage does not count: tracing doubles their time, and units and routes have closer tests."""

if sys.dont_write_bytecode:  # usual in containers; each process that tests start would compile the package again
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": sys.pycache_prefix}

# The same examples on every run; --hypothesis-profile=search looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("search", deadline=None, max_examples=5000)
settings.load_profile("same")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist is not in every environment
def pytest_xdist_auto_num_workers():
    """Return how many processes ``-n auto`` means: one more than processors, since tests wait; at most four."""
    return min(4, (os.cpu_count() or 1) + 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Exempt what collecting makes from garbage collection, which otherwise takes a third of the time of all tests."""
    gc.disable()
    result = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return result


def pytest_collection_modifyitems(config, items):
    """Pause the measuring of coverage, where there is one, during some of the tests."""
    if config.pluginmanager.hasplugin("_cov"):
        tests = Path(__file__).parent
        for item in items:
            if item.path.relative_to(tests).as_posix().startswith(NOT_TRACED):
                item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def _private_data_folder(tmp_path_factory):
    """Keep the aliases and the profiles of the user who runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("data")
        patch.setattr("flask_shim.config.server_settings.user_data_dir", lambda *_, **__: str(home))
        patch.setattr("flask_shim.config.shim_file.user_config_dir", lambda *_, **__: str(home))
        patch.setenv("SHIM_DATA_DIR", str(home))  # for the processes that tests start
        yield


@pytest.fixture
def until():
    """Return a function that waits for something to become true, and fails after a deadline."""

    def waits_until(is_so, seconds=DEADLINE_SECONDS):
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.005)

    return waits_until


@pytest.fixture
def socket_server():
    """Return a function that starts a server with some behavior; all are stopped at the end."""
    running = []

    def server(behave, **options):
        running.append(SocketServer(behave, **options))
        return running[-1]

    yield server
    for one in running:
        one.stop()

"""main.py and flask_shim.wsgi: the application is built when a server reads it, and not before."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path

import pytest

import flask_shim
from flask_shim import wsgi
from flask_shim.config import Config, ConfigError

FILE = Path(__file__).parents[2] / "main.py"


@pytest.fixture
def main():
    """Import main.py as a server does."""
    spec = importlib.util.spec_from_file_location("main_of_the_checkout", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def built(monkeypatch):
    """Count the applications that are built, instead of building them."""
    apps = []

    def create_server_app():
        apps.append(object())
        return apps[-1]

    monkeypatch.setattr(wsgi, "create_server_app", create_server_app)
    yield apps
    vars(wsgi).pop("app", None)


def test_importing_main_builds_nothing(main, built):
    assert "app" not in vars(main)
    assert built == []


def test_main_and_wsgi_build_one_app(main, built):
    assert main.app is wsgi.app
    assert built == [main.app]


@pytest.mark.parametrize("module", ["main", "wsgi"])
def test_the_entry_points_have_nothing_else(main, module):
    with pytest.raises(AttributeError, match="has no attribute 'application'"):
        _ = {"main": main, "wsgi": wsgi}[module].application


def test_a_server_exits_with_all_mistakes_and_no_traceback(monkeypatch, capsys):
    monkeypatch.setenv("SHIM_PORT", "x")
    monkeypatch.setenv("SHIM_THREADS", "y")
    with pytest.raises(SystemExit) as ended:
        wsgi.create_server_app()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "SHIM_PORT='x': Not a whole number.\nSHIM_THREADS='y': Not a whole number.\n"


def test_the_factory_raises_and_leaves_the_process_alone(monkeypatch):
    handlers, hook = list(logging.getLogger().handlers), sys.excepthook
    flask_shim.create_app(Config())
    monkeypatch.setenv("SHIM_PORT", "x")
    with pytest.raises(ConfigError) as caught:
        flask_shim.create_app()
    assert not isinstance(caught.value, SystemExit)
    assert (logging.getLogger().handlers, sys.excepthook) == (handlers, hook)


@pytest.mark.parametrize("runner", [True, False])
def test_waitress_serve_gets_the_servers_start(monkeypatch, runner):
    if runner:
        monkeypatch.setitem(sys.modules, "waitress.runner", object())
    else:
        monkeypatch.delitem(sys.modules, "waitress.runner", raising=False)
    vars(flask_shim).pop("create_app", None)
    assert (flask_shim.create_app is wsgi.create_server_app) == runner

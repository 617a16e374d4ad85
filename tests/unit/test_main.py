"""main.py: the app that is built when a server asks for it, and not before."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import flask_shim
from flask_shim.config import ConfigError

FILE = Path(__file__).parents[2] / "main.py"


@pytest.fixture
def main():
    """Import main.py as a server does, under a name of its own."""
    spec = importlib.util.spec_from_file_location("main_of_the_checkout", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def built(monkeypatch):
    """Count the apps that are built, in place of building them."""
    apps = []

    def create_app():
        apps.append(object())
        return apps[-1]

    monkeypatch.setitem(vars(flask_shim), "create_app", create_app)
    return apps


def test_importing_main_builds_nothing(main, built):
    assert "app" not in vars(main)
    assert built == []


def test_main_builds_its_app_once(main, built):
    assert main.app is main.app
    assert built == [main.app]


def test_main_has_nothing_else(main):
    with pytest.raises(AttributeError, match="has no attribute 'application'"):
        _ = main.application


def test_main_ends_with_the_problems_and_no_traceback(main, monkeypatch, capsys):
    def create_app():
        raise ConfigError(("SHIM_PORT='x': Not a whole number.", "second"))

    monkeypatch.setitem(vars(flask_shim), "create_app", create_app)
    with pytest.raises(SystemExit) as ended:
        _ = main.app
    assert ended.value.code == 2
    assert capsys.readouterr().err == "SHIM_PORT='x': Not a whole number.\nsecond\n"

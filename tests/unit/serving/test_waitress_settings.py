"""How waitress is set."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from waitress.adjustments import Adjustments

from flask_shim.config import Config
from flask_shim.config.validation import WINDOWS_CONNECTIONS
from flask_shim.serving import adjustments, waitress_arguments


def parsed(config) -> Adjustments:
    """Read the arguments as waitress-serve does."""
    options, (app,) = Adjustments.parse_args(waitress_arguments(config))
    assert app == "flask_shim:create_app"
    assert options.pop("call")
    del options["help"]
    return Adjustments(**options)


@pytest.mark.parametrize("texts", [{}, {"SHIM_THREADS": "70", "SHIM_MAX_REQUEST_BYTES": "1000"}])
def test_waitress_serve_gets_the_settings_of_our_own_start(config, texts):
    read, ours = parsed(config(**texts)), adjustments(config(**texts))
    assert {name: getattr(read, name) for name in ours} == ours


def test_waitress_serve_listens_where_we_listen(config):
    read = parsed(config(SHIM_HOST="localhost,192.0.2.7", SHIM_PORT="4242", SHIM_ALLOW_OPEN="1"))
    assert [address[3][:2] for address in read.listen] == [("127.0.0.1", 4242), ("::1", 4242), ("192.0.2.7", 4242)]


@pytest.mark.parametrize(("texts", "limit"), [({}, 256 * 1024 * 1024 + 1), ({"SHIM_MAX_REQUEST_BYTES": "1000"}, 1001)])
def test_body_of_exactly_the_limit_is_taken(config, texts, limit):
    assert adjustments(config(**texts))["max_request_body_size"] == limit


def test_threads_are_more_than_the_slots(config):
    assert adjustments(config(SHIM_MAX_STREAMS="5"))["threads"] > 5


def test_documented_command_line_has_the_defaults_and_works_on_windows():
    """In double quotes, which sh, PowerShell and cmd.exe read alike."""
    text = (Path(__file__).parents[3] / "docs" / "RUNNING.md").read_text(encoding="utf-8")
    config = Config(connection_limit=WINDOWS_CONNECTIONS)
    arguments = (f'"{each}"' if shlex.quote(each) != each else each for each in waitress_arguments(config))
    assert f"\nwaitress-serve {' '.join(arguments)}\n" in text

"""Which LM Studio the commands use beside a running shim."""

from __future__ import annotations

import pytest
from support.answers import by_path, replies

from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.config import Config

SHIM = {
    "/": replies("Ollama is running"),
    "/api/version": replies({"version": "0.40.12"}),
    "/health": replies({"status": "ok"}),
}
READY = {"status": "ok", "lmstudio": "http://127.0.0.1:41234"}


def settings(port: int, **texts: str) -> Config:
    return Config.from_env({"SHIM_PORT": str(port), **texts}, env_file="")


@pytest.fixture
def beside(socket_server):
    """Return a function that gives the settings of a command beside a shim with that answer to /ready."""

    def follow(ready, **texts):
        server = socket_server(by_path(SHIM | {"/ready": replies(ready)}))
        return follow_running_shim(settings(server.port, **texts))

    return follow


def test_lm_studio_of_the_running_shim_is_used(beside):
    found = beside(READY)
    assert found.backend_url == found.rest_url == READY["lmstudio"]
    assert "uses LM Studio at http://127.0.0.1:41234" in found.notes[-1]


def test_a_shim_that_cannot_reach_lm_studio_still_names_it(beside):
    assert beside(READY | {"status": "unavailable"}).backend_url == READY["lmstudio"]


@pytest.mark.parametrize(
    "texts",
    [
        {"SHIM_LMSTUDIO_BASE": "http://localhost:1234"},
        {"LMSTUDIO_URL": "http://localhost:1234"},
        {"SHIM_LMSTUDIO_REST_BASE": "http://localhost:1234"},
        {"SHIM_LMSTUDIO_TOKEN": "secret"},
    ],
)
def test_settings_that_name_lm_studio_win(beside, texts):
    assert beside(READY, **texts).backend_url == "http://localhost:1234"


@pytest.mark.parametrize("ready", [{"status": "ok"}, {"lmstudio": 7}, {"lmstudio": "file:///etc"}, [], "text"])
def test_a_shim_that_names_no_lm_studio_is_noted(beside, ready):
    found = beside(ready)
    assert found.backend_url == "http://localhost:1234"
    assert "SHIM_API_KEY" in found.notes[-1]


@pytest.mark.parametrize("root", ["Ollama is running", "nginx"])
def test_other_programs_on_the_port_get_no_requests(socket_server, root):
    server = socket_server(by_path({"/": replies(root), "/ready": replies(READY)}))
    before = settings(server.port)
    assert follow_running_shim(before) == before

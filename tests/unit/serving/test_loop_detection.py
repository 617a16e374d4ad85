"""An LM Studio whose address is the shim's own."""

from __future__ import annotations

import socket

import pytest
from support.ports import unused_port
from support.processes import ShimProcess, run
from support.wine import not_on_wine

from flask_shim.serving import listeners, loop_detection
from flask_shim.serving.loop_detection import is_own_listener


class Listener:
    """In place of a socket: no test listens on more than loopback."""

    def __init__(self, host, port=11434):
        self._name = (host, port)

    def getsockname(self):
        return self._name


@pytest.mark.parametrize(
    ("url", "bound", "is_here"),
    [
        ("http://127.0.0.1:11434", ["127.0.0.1", "::1"], True),
        ("http://localhost:11434", ["127.0.0.1", "::1"], True),
        ("http://[::1]:11434/lm", ["127.0.0.1", "::1"], True),
        ("http://127.0.0.1:11434", ["0.0.0.0"], True),
        ("http://127.0.0.1:1234", ["127.0.0.1", "::1"], False),
        ("http://127.0.0.2:11434", ["127.0.0.1"], False),
        ("http://localhost:11434", ["::1"], False),  # LM Studio may be at 127.0.0.1
        ("http://127.0.0.1:11434", ["::"], False),
        pytest.param(
            "http://192.0.2.1:11434",
            ["0.0.0.0", "::"],
            False,
            marks=not_on_wine("bind() accepts addresses of other machines"),
        ),
    ],
)
def test_an_address_leads_here_only_where_that_is_certain(url, bound, is_here):
    assert is_own_listener(url, [Listener(host) for host in bound]) == is_here


def test_the_ports_of_the_schemes_are_known():
    assert is_own_listener("http://127.0.0.1", [Listener("127.0.0.1", 80)])
    assert is_own_listener("https://127.0.0.1", [Listener("127.0.0.1", 443)])


def test_this_machines_other_addresses_and_names_are_its_own(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 11434))]
    monkeypatch.setattr(listeners, "is_loopback", lambda _: False)  # as if it were an address of its network card
    monkeypatch.setattr(loop_detection.socket, "getaddrinfo", lambda *_, **__: found)
    assert is_own_listener("http://this-machine:11434", [Listener("0.0.0.0")])


def test_an_unknown_name_is_no_loop(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(loop_detection.socket, "getaddrinfo", unknown)
    assert not is_own_listener("http://nowhere:11434", [Listener("0.0.0.0")])


def test_a_shim_that_would_ask_itself_does_not_start():
    port = unused_port()
    for name in ("SHIM_LMSTUDIO_BASE", "SHIM_LMSTUDIO_REST_BASE"):
        settings = {"SHIM_PORT": str(port), name: f"http://127.0.0.1:{port}/v1"}
        code, output = run("serve", "--host", "127.0.0.1", **settings)
        assert code == 2
        assert output.startswith(f"{name}: http://127.0.0.1:{port} is where the shim itself listens")


def test_another_shim_can_be_the_backend():
    with ShimProcess() as first, ShimProcess(first.url) as second:
        assert second.get("/health").status_code == 200

"""Where the shim listens, and what it says when it can't."""

from __future__ import annotations

import errno
import socket

import pytest
from support.wine import not_on_wine

from flask_shim.serving import BindError, listeners, open_listeners, urls_of


@pytest.fixture
def listening(config):
    """Give a function that listens with a few settings; all sockets are closed at the end."""
    opened = []

    def listen(**texts):
        opened.extend(open_listeners(config(**{"SHIM_PORT": "0"} | texts)))
        return opened

    yield listen
    for listener in opened:
        listener.close()


@pytest.fixture
def taken():
    """Give a port of 127.0.0.1 on which some program takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def without_ipv6(number):
    listen = listeners.listen

    def refuse_ipv6(place):
        if place.family == socket.AF_INET6:
            raise OSError(number, "no IPv6")
        return listen(place)

    return refuse_ipv6


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("flask_shim.serving.port_probe.ANSWER_SECONDS", 0.1)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_localhost_is_both_loopbacks_on_one_free_port(listening):
    first, second = (listener.getsockname() for listener in listening(SHIM_HOST="localhost"))
    assert (first[0], second[0]) == ("127.0.0.1", "::1")
    assert first[1] == second[1] != 0


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
@pytest.mark.parametrize("host", ["localhost", "*"])
def test_ipv6_is_left_out_where_there_is_none(listening, monkeypatch, number, host):
    monkeypatch.setattr(listeners, "listen", without_ipv6(number))
    (only,) = listening(SHIM_HOST=host, SHIM_ALLOW_OPEN="1")
    assert only.family == socket.AF_INET


def test_ipv6_alone_must_exist(listening, monkeypatch):
    monkeypatch.setattr(listeners, "listen", without_ipv6(errno.EADDRNOTAVAIL))
    with pytest.raises(BindError, match="no such address"):
        listening(SHIM_HOST="::1")


def test_free_port_is_free_on_all_addresses(listening, monkeypatch):
    """The port the system gave for the first address is taken on the second one, once."""
    listen, refusals = listeners.listen, [errno.EADDRINUSE]

    def refuse_once(place):
        if place.host == "127.0.0.2" and refusals:
            raise OSError(refusals.pop(), "taken")
        return listen(place)

    monkeypatch.setattr(listeners, "listen", refuse_once)
    first, second = (listener.getsockname() for listener in listening(SHIM_HOST="127.0.0.1,127.0.0.2"))
    assert refusals == []
    assert first[1] == second[1]


def test_taken_port_is_reported_with_two_remedies(listening, taken, monkeypatch):
    monkeypatch.setattr(listeners, "_is_free", lambda place: place.port == taken + 1)
    with pytest.raises(BindError) as refused:
        listening(SHIM_HOST="127.0.0.1", SHIM_PORT=str(taken))
    assert str(refused.value) == (
        f"Port {taken} on 127.0.0.1 is taken: another program is already running there.\n"
        f"Stop it, or give the shim another port: SHIM_PORT={taken + 1} or --port {taken + 1}."
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_port_that_is_suggested_is_free_on_all_loopbacks(listening, monkeypatch, host):
    """The ports next to the taken one are taken, too, on one of the loopback addresses."""
    listen, port = listeners.listen, 40_001
    busy = {("127.0.0.1", port), (host, port + 1), (host, port + 2)}

    def refuse_busy(place):
        if (place.host, place.port) in busy:
            raise OSError(errno.EADDRINUSE, "taken")
        return listen(place.at(0))

    monkeypatch.setattr(listeners, "listen", refuse_busy)
    with pytest.raises(BindError, match=f"SHIM_PORT={port + 3} or --port {port + 3}"):
        listening(SHIM_HOST="127.0.0.1", SHIM_PORT=str(port))


def test_the_last_port_gets_a_lower_one_suggested(listening, monkeypatch):
    monkeypatch.setattr(listeners, "identify_server", lambda *_: "Ollama")
    monkeypatch.setattr(listeners, "_is_free", lambda _: True)
    with pytest.raises(BindError, match="SHIM_PORT=65534"):
        listening(SHIM_PORT="65535")


def test_wildcard_is_taken_when_a_server_answers_on_loopback(listening, taken):
    with pytest.raises(BindError, match=r"on 0\.0\.0\.0 is taken"):
        listening(SHIM_HOST="*", SHIM_PORT=str(taken), SHIM_ALLOW_OPEN="1")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EADDRINUSE, "is taken: another program"),
        (errno.EACCES, "excludedportrange"),
        (errno.EADDRNOTAVAIL, "no such address"),
        (errno.ENOBUFS, "no room"),
    ],
)
def test_rejection_by_the_system_is_explained(listening, monkeypatch, number, text):
    def refuse(place):
        raise OSError(number, "no room")

    monkeypatch.setattr(listeners, "listen", refuse)
    with pytest.raises(BindError, match=text):
        listening(SHIM_HOST="127.0.0.1")


@not_on_wine("bind() accepts addresses of other machines")
def test_address_of_another_machine_is_not_called_taken(listening, monkeypatch):
    """Whatever answers at that port of the other machine."""
    monkeypatch.setattr(listeners, "identify_server", lambda host, port: "Ollama 0.40.12")
    with pytest.raises(BindError) as refused:
        listening(SHIM_HOST="192.0.2.1", SHIM_PORT="11434", SHIM_ALLOW_OPEN="1")
    assert str(refused.value) == (
        "Can't listen on 192.0.2.1:11434: this machine has no such address. Change SHIM_HOST."
    )


def test_unknown_name_is_reported(listening, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(BindError, match="SHIM_HOST: somewhere can't be looked up: Name not known"):
        listening(SHIM_HOST="somewhere", SHIM_ALLOW_OPEN="1")


def test_urls_can_be_opened_on_this_machine(listening):
    port = listening(SHIM_HOST="0.0.0.0", SHIM_ALLOW_OPEN="1")[0].getsockname()[1]
    assert urls_of(listening(SHIM_HOST="127.0.0.1"))[0] == f"http://127.0.0.1:{port}"

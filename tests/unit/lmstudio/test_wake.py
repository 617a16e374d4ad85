"""Machines are woken with a real packet, or with a script that stands in for the lms tool."""

import socket

import pytest
from support.fake_lms import CAN_RUN_SCRIPTS, WHY_NOT, FakeLms

from flask_shim.lmstudio import BackendCall, wake
from flask_shim.lmstudio.errors import BackendUnavailable, ClientDisconnected
from flask_shim.lmstudio.wake import INTERVAL_SECONDS, LMS, Waker, broadcast_addresses, send_magic_packet

MAC = "AA:BB:CC:00:11:22"
PACKET = b"\xff" * 6 + bytes.fromhex("aabbcc001122") * 16
UNREACHABLE = ("127.0.0.1", 0)
HERE = "http://127.0.0.1:4321"
needs_scripts = pytest.mark.skipif(not CAN_RUN_SCRIPTS, reason=WHY_NOT)


@pytest.fixture
def network_card():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.mark.parametrize("mac", [MAC, "aa-bb-cc-00-11-22"])
def test_magic_packet_names_the_card_sixteen_times(network_card, mac):
    send_magic_packet(mac, [network_card.getsockname()])
    assert network_card.recv(200) == PACKET


def test_one_destination_that_fails_does_not_stop_the_others(network_card):
    send_magic_packet(MAC, [UNREACHABLE, network_card.getsockname()])
    assert network_card.recv(200) == PACKET


def test_packet_that_could_not_be_sent_at_all_is_an_error():
    with pytest.raises(BackendUnavailable, match="the Wake-on-LAN packet was not sent: "):
        send_magic_packet(MAC, [UNREACHABLE])


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://192.168.7.20:1234", ["192.168.7.255", "255.255.255.255"]),
        ("http://no.such.host.invalid:1234", ["255.255.255.255"]),
        ("http://[fd00::5]:1234", ["255.255.255.255"]),
        (HERE, ["255.255.255.255"]),
    ],
)
def test_packet_is_broadcast_on_the_network_of_the_machine(url, addresses):
    assert broadcast_addresses(url) == addresses


@pytest.fixture
def lms(tmp_path, monkeypatch):
    """Return a function that installs a fake tool in the only folder of PATH."""

    def install(**state):
        fake = FakeLms(tmp_path / "bin", **state)
        monkeypatch.setenv("PATH", str(fake.folder))
        return fake

    return install


@needs_scripts
def test_lms_starts_the_daemon_and_its_server_on_the_port(lms):
    fake = lms()
    wake.wake(LMS, HERE, BackendCall())
    assert fake.calls == [["daemon", "up"], ["server", "start", "--port", "4321"]]


@needs_scripts
def test_server_for_other_machines_listens_on_their_address(lms, monkeypatch):
    fake = lms()
    monkeypatch.setattr(wake, "is_this_machine", lambda url: url == "http://192.168.7.20:1234")
    wake.wake(LMS, "http://192.168.7.20:1234", BackendCall())
    assert fake.calls[-1] == ["server", "start", "--port", "1234", "--bind", "192.168.7.20"]


@needs_scripts
def test_lms_before_0_4_has_no_daemon_and_starts_the_server(lms):
    fake = lms(failing={"daemon": "error: unknown command 'daemon'"})
    wake.wake(LMS, HERE, BackendCall())
    assert fake.calls[-1][:2] == ["server", "start"]


@needs_scripts
def test_failure_of_the_tool_is_the_reason(lms):
    lms(failing={"server": "Failed to verify the server is running."})
    with pytest.raises(BackendUnavailable, match="could not be started: Failed to verify the server is running"):
        wake.wake(LMS, HERE, BackendCall())


@needs_scripts
def test_client_that_disconnects_ends_the_tool(lms):
    lms(hang=True)
    with pytest.raises(ClientDisconnected):
        wake.wake(LMS, HERE, BackendCall(lambda: True))


def test_lms_of_another_machine_is_not_started_from_here():
    with pytest.raises(BackendUnavailable, match=r"http://192\.0\.2\.1:1234 is another one"):
        wake.wake(LMS, "http://192.0.2.1:1234", BackendCall())


def test_missing_tool_is_the_reason(monkeypatch):
    monkeypatch.setattr(wake, "find_tool", lambda: None)
    with pytest.raises(BackendUnavailable, match="is not installed"):
        wake.wake(LMS, HERE, BackendCall())


@pytest.fixture
def attempts(clock, monkeypatch):
    """The attempts to wake a machine; one that is an exception fails."""
    made = []

    def attempt(spec, base_url, call):
        made.append((spec, base_url))
        if isinstance(call, Exception):
            raise call

    monkeypatch.setattr(wake, "wake", attempt)
    monkeypatch.setattr(wake, "time", clock)
    return made


def test_machine_is_not_woken_again_at_once(attempts, clock):
    waker = Waker(MAC, HERE)
    assert [waker.wake(BackendCall()), waker.wake(BackendCall())] == [True, False]
    clock.pass_(INTERVAL_SECONDS)
    assert waker.wake(BackendCall())
    assert attempts == [(MAC, HERE)] * 2


def test_failure_holds_until_the_next_attempt(attempts, clock):
    waker = Waker(MAC, HERE)
    with pytest.raises(BackendUnavailable, match="no tool"):
        waker.wake(BackendUnavailable("no tool"))
    clock.pass_(INTERVAL_SECONDS - 1)
    with pytest.raises(BackendUnavailable, match="no tool"):
        waker.wake(BackendCall())
    clock.pass_(1)
    assert waker.wake(BackendCall())


def test_machine_is_not_woken_while_that_is_being_done(attempts, monkeypatch):
    waker = Waker(MAC, HERE)
    inner = []
    monkeypatch.setattr(wake, "wake", lambda *_: inner.append(waker.wake(BackendCall())))
    assert waker.wake(BackendCall())
    assert inner == [False]


def test_machine_is_woken_at_once_after_a_client_that_left(attempts):
    waker = Waker(MAC, HERE)
    with pytest.raises(ClientDisconnected):
        waker.wake(ClientDisconnected())
    assert waker.wake(BackendCall())

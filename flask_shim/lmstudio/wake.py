"""Start an LM Studio that does not answer: with the ``lms`` tool on this machine, with Wake-on-LAN on another one."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from flask_shim.lmstudio.errors import BackendUnavailable, ClientDisconnected, LMStudioError
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.lms.locate import find_tool, is_this_machine
from flask_shim.lmstudio.lms.tool import CliTool

LMS = "lms"
"""The value that starts LM Studio on this machine; every other one is a MAC address."""

INTERVAL_SECONDS = 30.0
"""The least time between two attempts to wake the same machine."""

WAKE_PORT = 9
"""The discard service, where no program answers: the network card reads the packet wherever it is sent."""

_EVERYWHERE = "255.255.255.255"


class Waker:
    """Wakes one machine on demand, and not again for INTERVAL_SECONDS, however many requests wait for it."""

    def __init__(self, spec: str, base_url: str) -> None:
        self._spec = spec
        self._base_url = base_url
        self._lock = threading.Lock()
        self._next_at: float | None = 0.0  # None while a call wakes the machine
        self._failure: BackendUnavailable | None = None

    def wake(self, call: BackendCall) -> bool:
        """Wake the machine if that is due and return whether it was; raise BackendUnavailable if it failed.

        Calls that come too early raise the failure of the last attempt.
        """
        with self._lock:
            if self._next_at is None or time.monotonic() < self._next_at:
                if self._failure is not None:
                    raise BackendUnavailable(self._failure.text, why=self._failure.why)
                return False
            self._next_at = None
        failure, pause_seconds = None, 0.0  # no pause after a client that disconnected and so ended the tool
        try:
            wake(self._spec, self._base_url, call)
            pause_seconds = INTERVAL_SECONDS
        except BackendUnavailable as exc:
            failure, pause_seconds = exc, INTERVAL_SECONDS
            raise
        finally:
            with self._lock:
                self._failure, self._next_at = failure, time.monotonic() + pause_seconds
        return True


def wake(spec: str, base_url: str, call: BackendCall) -> None:
    """Start LM Studio on this machine if ``spec`` is LMS, otherwise send Wake-on-LAN to that MAC address.

    The server may need a minute until it answers at ``base_url``. Raises BackendUnavailable if it cannot be woken.
    """
    if spec == LMS:
        _start_on_this_machine(base_url, call)
    else:
        send_magic_packet(spec, [(address, WAKE_PORT) for address in broadcast_addresses(base_url)])


def _start_on_this_machine(base_url: str, call: BackendCall) -> None:
    if not is_this_machine(base_url):
        raise _cannot_wake(f'wake = "{LMS}" starts LM Studio on this machine, but {base_url} is another one')
    program = find_tool()
    if program is None:
        raise _cannot_wake("the lms tool of LM Studio is not installed for this account")
    parts = urlsplit(base_url)
    address = _ipv4_address(parts.hostname or "")
    bind = str(address) if address is not None and not address.is_loopback else ""
    try:
        CliTool(program).start_server(parts.port or 80, bind=bind, call=call)
    except ClientDisconnected:
        raise
    except LMStudioError as exc:
        raise _cannot_wake(exc.text) from exc


def send_magic_packet(mac: str, destinations: Iterable[tuple[str, int]]) -> None:
    """Send the packet that wakes the network card with that address; raise BackendUnavailable if none could be sent."""
    packet = b"\xff" * 6 + bytes.fromhex(mac.replace("-", "").replace(":", "")) * 16
    sent, failure = 0, ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for destination in destinations:
            try:
                sent += sock.sendto(packet, destination)
            except OSError as exc:  # such as no default route for one of them
                failure = str(exc)
    if not sent:
        raise _cannot_wake(f"the Wake-on-LAN packet was not sent: {failure}")


def broadcast_addresses(base_url: str) -> list[str]:
    """Return where to send a magic packet for a host: its own network first, as 255.255.255.255 uses one interface.

    The host's network is assumed to have 256 addresses, as home networks have, since Python cannot ask the system.
    """
    address = _ipv4_address(urlsplit(base_url).hostname or "")
    if address is None or address.is_loopback:
        return [_EVERYWHERE]
    return [str(ipaddress.ip_network(f"{address}/24", strict=False).broadcast_address), _EVERYWHERE]


def _ipv4_address(host: str) -> ipaddress.IPv4Address | None:
    with suppress(OSError, UnicodeError):  # a name that does not resolve while the machine sleeps
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
        return ipaddress.IPv4Address(found[0][4][0])
    return None


def _cannot_wake(why: str) -> BackendUnavailable:
    return BackendUnavailable(f"LM Studio does not answer and could not be started: {why}", why="not started")

"""Check this machine: proxies, the name localhost, the data folder, the port, the clock."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

from flask_shim.config.addresses import LOOPBACKS
from flask_shim.doctor.findings import Finding, fail, note, ok, warn
from flask_shim.doctor.probe import ProbeResponse
from flask_shim.serving.port_probe import SHIM, how_to_stop

LOCALHOST = "localhost"
WRONG_BY_SECONDS = 60.0
"""Clocks that are set by the network differ less."""


class NetworkSetup(NamedTuple):
    """The proxies of the system, whether they exclude this machine, and the addresses of ``localhost``."""

    proxies: Mapping[str, str]
    is_excluded: bool
    localhost: tuple[str, ...]


def read_network_setup() -> NetworkSetup:
    """Read the proxies and addresses that every program sees."""
    proxies = {scheme: url for scheme, url in getproxies().items() if scheme in ("http", "all")}
    return NetworkSetup(proxies, all(bool(proxy_bypass(host)) for host in (LOCALHOST, LOOPBACKS[0])), _addresses())


def _addresses() -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(LOCALHOST, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def judge_network_setup(setup: NetworkSetup) -> Iterator[Finding]:
    """Judge proxies and the name ``localhost``."""
    if not setup.proxies:
        yield ok("proxy", "no proxy is set")
    elif setup.is_excluded:
        yield ok("proxy", "a proxy is set, and it excludes this machine")
    else:
        yield warn(
            "proxy",
            "the proxy settings include this machine, so many clients send the shim's requests to the proxy",
            f"Set NO_PROXY={LOCALHOST},{','.join(LOOPBACKS)} for the clients.",
        )
    if not setup.localhost:
        yield warn("localhost", "the name localhost has no address", "Use 127.0.0.1 in the clients' settings.")


def judge_data(folder: Path, reason: str | None) -> Iterator[Finding]:
    """Judge whether aliases can be saved in a folder; ``reason`` says why not."""
    if reason is not None:
        text = f"names made with copy and create cannot be saved in {folder}: {reason}"
        yield warn("data", text, "Set SHIM_DATA_DIR to a folder that the shim's user may write to.")


def judge_port(port: int, found: Mapping[str, str | None], localhost: Sequence[str]) -> Iterator[Finding]:
    """Judge which program answers: it must be the shim on both addresses of ``localhost``."""
    ours = [host for host, who in found.items() if who == SHIM]
    for host, who in found.items():
        if who not in (None, SHIM):
            yield _name_other_server(port, host, str(who), is_beside=bool(ours))
    if ours:
        yield ok("port", f"the shim answers on port {port} at {' and '.join(ours)}")
        yield from _judge_localhost(ours, found, localhost)
    elif not any(found.values()):
        text = f"nothing answers on port {port}: a shim was started for these checks only"
        yield note("port", text, "To start it: flask-shim")


def _name_other_server(port: int, host: str, who: str, *, is_beside: bool) -> Finding:
    beside = " beside the shim: clients get one or the other" if is_beside else ""
    return fail(
        "port", f"port {port} on {host} is taken by {who}{beside}", f"{how_to_stop(who)}, or set another SHIM_PORT."
    )


def _judge_localhost(
    ours: Sequence[str], found: Mapping[str, str | None], localhost: Sequence[str]
) -> Iterator[Finding]:
    if not set(ours) & set(LOOPBACKS):
        text = "it does not answer at localhost, where programs on this machine look for it"
        yield warn("localhost", text, f"Set SHIM_HOST=localhost,{','.join(ours)}.")
    elif localhost and localhost[0] in found and found[localhost[0]] is None:
        text = f"localhost is {localhost[0]} first, where no program answers: on Windows each connection loses 2 s"
        yield warn("localhost", text, f"Set SHIM_HOST=localhost, or use {ours[0]} in the clients' settings.")


def judge_clock(who: str, response: ProbeResponse, now: float) -> Iterator[Finding]:
    """Compare the Date of a response, if it has one, with ``now`` in seconds since 1970."""
    try:
        there = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return
    wrong = there - now
    if abs(wrong) > WRONG_BY_SECONDS:
        direction = "ahead of" if wrong > 0 else "behind"
        text = f"the clock of {who} is {abs(wrong):.0f} s {direction} this one"
        yield warn("clock", text, "Synchronize both clocks: times in lists are wrong by this much.")

"""Front proxies as users start them: the real program with a shipped configuration, on ports of its own.

    with FrontProxy("nginx", [shim.port]) as front:
        assert front.ask("/api/version").status == 200

What surrounds the shipped file is as unfriendly as a machine's own configuration may be: it compresses everything.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from flask_shim.config import Config
from flask_shim.deploy.rendering import render
from support.ports import unused_port
from support.wine import SLOWNESS
from support.wire import Answer, Wire, request

DEADLINE_SECONDS = 15.0 * SLOWNESS
HOST = "models.example.org"
"""The name in the certificate, and in the configuration that uses it."""


class Program(NamedTuple):
    """What runs a configuration: its command line, and the main file around the shipped one."""

    words: tuple[str, ...]
    around: str


_NGINX = Program(
    ("nginx", "-p", "{folder}", "-c", "{folder}/main.conf", "-g", "daemon off;"),
    """
worker_processes 2;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    gzip on;
    gzip_proxied any;
    gzip_min_length 1;
    gzip_types application/x-ndjson application/json text/event-stream;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/front.conf;
}}
""",
)
_HAPROXY = Program(("haproxy", "-db", "-f", "{folder}/front.conf"), "")

PROGRAMS = {"nginx": _NGINX, "nginx-tls": _NGINX, "nginx-cluster": _NGINX, "haproxy": _HAPROXY}
"""By the name of the configuration."""


class FrontProxy:
    """A front proxy before shims at these ports; a context manager. With one shim, that is every shim of a cluster.

    ``changes`` are made in the configuration before it is used: texts and what stands in their place.
    """

    def __init__(self, name: str, shims: Sequence[int], changes: Mapping[str, str] = MappingProxyType({})) -> None:
        program = PROGRAMS[name]
        self.name = name
        if shutil.which(program.words[0]) is None:
            pytest.skip(f"{program.words[0]} is not installed")
        self._folder = tempfile.TemporaryDirectory(prefix="flask-shim-front-")
        folder = self._folder.name
        self.port = unused_port()
        self.tls = _certified(Path(folder)) if name == "nginx-tls" else None
        self.host = HOST if self.tls else "localhost"
        Path(folder, "front.conf").write_text(_adapted(name, shims, self.port, folder, changes), "utf-8")
        Path(folder, "main.conf").write_text(program.around.format(folder=folder, user=_user()), "utf-8")
        self._log = Path(folder, "output.log")
        with self._log.open("wb") as output:
            words = [word.format(folder=folder) for word in program.words]
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def wire(self, path: str, body: Any = None, **more: Any) -> Wire:
        """Send a request on a connection of its own, and return that."""
        wire = Wire(self.port)
        if self.tls:
            wire.sock = self.tls.wrap_socket(wire.sock, server_hostname=HOST)
        more["headers"] = {"Host": self.host, "Accept-Encoding": "gzip"} | dict(more.get("headers") or {})
        wire.send(request(path, body, **more))
        return wire

    def ask(self, path: str, body: Any = None, **more: Any) -> Answer:
        """Send a request and return its answer."""
        with self.wire(path, body, **more) as wire:
            return wire.answer()

    def kept(self, address: str = "127.0.0.1") -> http.client.HTTPConnection:
        """Return a connection from ``address`` for one request after the other."""
        more: dict[str, Any] = {"timeout": DEADLINE_SECONDS, "source_address": (address, 0)}
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, **more)
        return http.client.HTTPConnection("127.0.0.1", self.port, **more)

    def stop(self) -> None:
        """End it at once."""
        self._process.terminate()
        try:
            self._process.wait(DEADLINE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._folder.cleanup()

    def __enter__(self) -> FrontProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                output = self._log.read_text("utf-8", "replace")
                assert self._process.poll() is None, f"it did not start: {output}"
                assert time.monotonic() < deadline, f"it does not listen: {output}"
                time.sleep(0.01)
            else:
                return


def _adapted(name: str, shims: Sequence[int], port: int, folder: str, changes: Mapping[str, str]) -> str:
    """Return the configuration as it is shipped, but for ports, certificates and ``changes``."""
    addresses = [f"127.0.0.1:{port}" for port in (shims if len(shims) > 1 else [*shims, *shims])]
    text = render(name, Config(port=shims[0]), "/srv/shim", shims=addresses)
    listens = {"haproxy": "bind 127.0.0.1:8434", "nginx-tls": "listen 443 "}.get(name, "listen 127.0.0.1:8434")
    own = {listens: f"{listens.split()[0]} 127.0.0.1:{port} "}
    if name == "nginx-tls":
        own |= {"/etc/ssl/certs/": f"{folder}/", "/etc/ssl/private/": f"{folder}/"}
    for old, new in {**own, **changes}.items():
        assert old in text, f"{old} does not stand in the configuration"
        text = text.replace(old, new)
    return text


def _certified(folder: Path) -> ssl.SSLContext:
    """Write a certificate and its key, and return what a client needs to believe it."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST, "127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / f"{HOST}.key"))
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(folder / f"{HOST}.pem"), append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def _user() -> str:
    """Let the worker processes of root's nginx write into a folder of root's."""
    return "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""

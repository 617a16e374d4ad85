"""The ways to the backend that are compared: direct, nginx, the naive shim, ours as users start it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import trustme

from tests.benchmarks.bodies import Speech
from tests.benchmarks.children import child, free_port, module

DIRECT, NGINX, NAIVE, OURS = "direct", "nginx", "naive", "ours"
NAMES = (DIRECT, NGINX, NAIVE, OURS)

Distance = Literal["", "http", "https"]
"""How LM Studio is reached: on this machine, or with a round-trip time between, plain or over TLS."""

ROUND_TRIP_MS = 20

DEFAULT_STREAMS = 60
"""Up to so many streams ours runs with its own defaults; for more it is started with SHIM_MAX_STREAMS raised."""

_WIDE = {"SHIM_MAX_STREAMS": "512"}

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass {scheme}://backend; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One running target."""

    name: str
    speech: Speech
    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class _Start:
    """What has to run: a target before LM Studio at a distance; ``settings`` are SHIM_ variables of ours."""

    name: str
    distance: Distance
    settings: tuple[tuple[str, str], ...]


@dataclass
class Targets:
    """The targets of one run, each started when it is measured first; ``running`` ends them all.

    ``folder`` takes their logs, ``settings`` are SHIM_ variables of ours in every scenario.
    """

    folder: Path
    running: ExitStack
    settings: Mapping[str, str]
    _started: dict[_Start, Target] = field(default_factory=dict)

    def of(self, name: str, distance: Distance, streams: int, settings: Mapping[str, str]) -> Target:
        """Return the running target that has room for so many streams at once."""
        wide = _WIDE if streams > DEFAULT_STREAMS else {}
        ours = {**wide, **self.settings, **settings} if name == OURS else {}
        start = _Start(name, distance, tuple(sorted(ours.items())))
        if start not in self._started:
            self._started[start] = self._start(start)
        return self._started[start]

    def _start(self, start: _Start) -> Target:
        backend, port = self._backend_ports[start.distance], free_port()
        url = f"{start.distance or 'http'}://127.0.0.1:{backend}"
        if start.name == DIRECT:
            return Target(DIRECT, "lmstudio", backend, self._backend.pid)
        if start.name == NGINX:
            return self._run(NGINX, "lmstudio", self._nginx(port, backend, start.distance or "http"), port, {})
        if start.name == NAIVE:
            env = {"REQUESTS_CA_BUNDLE": str(self._certificates)} if start.distance == "https" else {}
            return self._run(NAIVE, "naive", module("tests.benchmarks.naive", port, url), port, env)
        env = {
            "SHIM_HOST": "127.0.0.1",
            "SHIM_PORT": str(port),
            "SHIM_LMSTUDIO_BASE": url,
            "SHIM_DATA_DIR": str(self.folder / f"data-{port}"),
            **({"SHIM_CA_FILE": str(self._certificates)} if start.distance == "https" else {}),
            **dict(start.settings),
        }
        return self._run(OURS, "ollama", module("flask_shim", "serve"), port, env)

    def _nginx(self, port: int, backend: int, scheme: str) -> list[str]:
        settings = self.folder / f"nginx-{port}.conf"
        text = _NGINX.format(folder=self.folder.as_posix(), backend=backend, port=port, scheme=scheme)
        settings.write_text(text, encoding="utf-8")
        return ["nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(settings)]

    def _run(self, name: str, speech: Speech, command: list[str], port: int, env: Mapping[str, str]) -> Target:
        process: subprocess.Popen[bytes] = self.running.enter_context(child(command, self.folder, port=port, env=env))
        return Target(name, speech, port, process.pid)

    @cached_property
    def _backend(self) -> Target:
        port = free_port()
        return self._run(DIRECT, "lmstudio", module("tests.benchmarks.backend", port), port, {})

    @cached_property
    def _backend_ports(self) -> Mapping[Distance, int]:
        ports: dict[Distance, int] = {"": self._backend.port, "http": free_port(), "https": free_port()}
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self._certificates)
        own = self.folder / "backend.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
        places = (ports[""], ports["http"], ports["https"], own, ROUND_TRIP_MS)
        command = module("tests.benchmarks.relay", *places)
        self.running.enter_context(child(command, self.folder, port=ports["http"]))
        return ports

    @property
    def _certificates(self) -> Path:
        return self.folder / "authority.pem"


def installed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the targets to measure: nginx needs to be there, and the backend itself stands in for it."""
    has_nginx = bool(shutil.which("nginx"))
    chosen = names or (NGINX if has_nginx else DIRECT, NAIVE, OURS)
    return tuple(name for name in NAMES if name in chosen and (name != NGINX or has_nginx))

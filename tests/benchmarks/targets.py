"""The ways to the backend that are compared: direct, nginx, the naive shim, ours as users start it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.benchmarks.children import child, free_port, module
from tests.benchmarks.usage import memory_bytes

Speech = Literal["lmstudio", "ollama"]

DIRECT, NGINX, NAIVE, OURS = "direct", "nginx", "naive", "ours"
NAMES = (DIRECT, NGINX, NAIVE, OURS)

DEFAULT_STREAMS = 60
"""Up to so many streams ours runs with its own defaults; for more it is started with SHIM_MAX_STREAMS raised."""

_WIDE = {"SHIM_MAX_STREAMS": "512"}

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One running target. ``idle_bytes`` is its resident memory before it had anything to do."""

    name: str
    speech: Speech
    port: int
    pid: int
    idle_bytes: int | None


class Targets:
    """All targets of one run. Ours may be there twice: as it is by default, and with room for many streams."""

    def __init__(self, targets: Mapping[str, Target], wide: Target | None) -> None:
        """Keep what was started."""
        self._targets = targets
        self._wide = wide

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._targets)

    def of(self, name: str, streams: int) -> Target:
        """Return the target that has room for so many streams at once."""
        if name == OURS and streams > DEFAULT_STREAMS and self._wide is not None:
            return self._wide
        return self._targets[name]


@contextmanager
def started(folder: Path, names: tuple[str, ...], ours: Mapping[str, str], most_streams: int) -> Iterator[Targets]:
    """Run the backend and the targets for the block; ``folder`` takes their logs, ``ours`` are settings for ours."""
    with ExitStack() as running:
        backend = running.enter_context(_backend(folder))
        starts: dict[str, Callable[[], AbstractContextManager[Target]]] = {
            NGINX: lambda: _nginx(folder, backend.port),
            NAIVE: lambda: _naive(folder, backend.port),
            OURS: lambda: _ours(folder, backend.port, ours),
        }
        targets = {name: running.enter_context(starts[name]()) if name in starts else backend for name in names}
        wide = None
        if OURS in names and most_streams > DEFAULT_STREAMS:
            wide = running.enter_context(_ours(folder, backend.port, {**_WIDE, **ours}))
        yield Targets(targets, wide)


def installed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the targets that can be started on this machine."""
    return tuple(name for name in names if name != NGINX or shutil.which("nginx"))


@contextmanager
def _backend(folder: Path) -> Iterator[Target]:
    port = free_port()
    with child(module("tests.benchmarks.backend", port), folder, port=port) as process:
        yield _target(DIRECT, "lmstudio", port, process)


@contextmanager
def _nginx(folder: Path, backend: int) -> Iterator[Target]:
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(_NGINX.format(folder=folder.as_posix(), backend=backend, port=port), encoding="utf-8")
    with child(["nginx", "-e", "stderr", "-p", str(folder), "-c", str(settings)], folder, port=port) as process:
        yield _target(NGINX, "lmstudio", port, process)


@contextmanager
def _naive(folder: Path, backend: int) -> Iterator[Target]:
    port = free_port()
    command = module("tests.benchmarks.naive", port, f"http://127.0.0.1:{backend}")
    with child(command, folder, port=port) as process:
        yield _target(NAIVE, "ollama", port, process)


@contextmanager
def _ours(folder: Path, backend: int, more: Mapping[str, str]) -> Iterator[Target]:
    port = free_port()
    env = {
        "SHIM_HOST": "127.0.0.1",
        "SHIM_PORT": str(port),
        "SHIM_LMSTUDIO_BASE": f"http://127.0.0.1:{backend}",
        "SHIM_DATA_DIR": str(folder / f"data-{port}"),
        **more,
    }
    with child(module("flask_shim", "serve"), folder, port=port, env=env) as process:
        yield _target(OURS, "ollama", port, process)


def _target(name: str, speech: Speech, port: int, process: subprocess.Popen[bytes]) -> Target:
    return Target(name, speech, port, process.pid, memory_bytes(process.pid))

"""The files of ``config/``, filled in: one template each, with the settings and folders of this installation."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from flask_shim.config import Config, addresses


class Template(NamedTuple):
    """One file: its name in ``config/``, and what it is for."""

    file: str
    what: str
    is_windows: bool = False


TEMPLATES = {
    "nginx": Template("nginx.conf", "nginx in front of one shim"),
    "nginx-tls": Template("nginx-tls.conf", "nginx with TLS in front of one shim that needs a key"),
    "nginx-cluster": Template("nginx-cluster.conf", "nginx in front of several shims, each with its own LM Studio"),
    "haproxy": Template("haproxy.cfg", "HAProxy in front of several shims"),
    "systemd": Template("flask-shim.service", "a systemd service; a user unit if installed in a home folder"),
    "launchd": Template("com.flask-shim.plist", "a launchd agent on macOS"),
    "docker": Template("Dockerfile", "an image"),
    "compose": Template("compose.yaml", "the image beside an LM Studio on the host"),
    "iis": Template("web.config", "IIS with URL Rewrite and ARR in front of the shim", is_windows=True),
    "iis-platform": Template("web.httpplatform.config", "IIS that starts the shim (streams in lumps)", is_windows=True),
    "winsw": Template("flask-shim.winsw.xml", "a Windows service by WinSW", is_windows=True),
    "windows-service": Template("service.ps1", "install, start, stop, remove: WinSW, NSSM, Task Scheduler", True),
}
"""By the names that ``flask-shim config`` takes."""

SHIPPED_ROOT = {False: "/opt/flask-shim", True: "C:\\flask-shim"}
"""Where the files in ``config/`` suppose the shim to be installed."""

PROTECTED_HOMES = ("/home", "/root", "/run/user")
"""What ``ProtectHome=yes`` hides (systemd.exec(5))."""

CLUSTERS = ("nginx-cluster", "haproxy")
"""The templates for several shims."""

SECOND_SHIM = "127.0.0.1:11435"

LEAST_DRAIN_DELAY = 5
"""In seconds, behind a cluster's proxy: HAProxy's checks notice within three seconds that a shim stops, and
nginx uses a shim again within four that was restarted."""

HAPROXY_QUEUE_SECONDS = 5
"""How long HAProxy lets a request wait for a slot."""

_ENVIRONMENT = Environment(
    loader=PackageLoader("flask_shim.deploy"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=select_autoescape(("xml", "plist", "config"), default=False),
)


def render(
    name: str,
    config: Config,
    root: Path | str | None = None,
    *,
    folder: Path | str | None = None,
    shims: Sequence[str] = (),
) -> str:
    """Return the file of a template, filled in for ``config``.

    ``root`` is the folder with ``.venv``, by default where we run. ``folder`` makes a service of one user, which runs
    there. ``shims`` are the addresses behind a cluster's proxy, by default that of ``config`` and a second one here.
    """
    template = TEMPLATES[name]
    place, python = _installation(root, is_windows=template.is_windows)
    values = {**_values(config), "root": place, "python": python, "folder": folder and str(folder)}
    values["shims"] = shims or (values["address"], SECOND_SHIM)
    values["in_home"] = any(map(is_below_a_home, (Path(python), Path(python).resolve())))  # also where its link leads
    return _ENVIRONMENT.get_template(template.file).render(values)


def _installation(root: Path | str | None, *, is_windows: bool) -> tuple[str, str]:
    """Return the folder of the installation and its Python, in the form of the system that the file is for."""
    if root is None and is_windows == addresses.IS_WINDOWS:
        # Not resolved: the link in the virtual environment is what makes it that.
        return str(Path(sys.prefix).parent), sys.executable
    place = str(root or SHIPPED_ROOT[is_windows])
    if is_windows:
        place = str(PureWindowsPath(place))
        return place, f"{place}\\.venv\\Scripts\\python.exe"
    return place, f"{place}/.venv/bin/python"


def is_below_a_home(path: Path) -> bool:
    """Return whether ``ProtectHome=yes`` of systemd hides a path."""
    return any(path.is_relative_to(home) for home in PROTECTED_HOMES)


def save(text: str, path: Path) -> None:
    """Write a rendered file in the encoding that its program expects, also for folders that are not ASCII."""
    # PowerShell 5 takes a script without a byte order mark for one in the machine's old code page.
    path.write_text(text, encoding="utf-8-sig" if path.suffix == ".ps1" else "utf-8", newline="\n")


def _values(config: Config) -> dict[str, Any]:
    """Return what else the templates may name. Times are whole seconds; a limit of 0 becomes a day."""
    limits = (config.first_byte_timeout, config.idle_timeout)
    silence = max(limits) if all(limits) else 86_400
    return {
        "port": config.port,
        "address": f"{_address(config)}:{config.port}",
        "container_backend": _from_container(config.backend_url),
        "read_timeout": math.ceil(silence) + 30,
        "read_timeout_clock": _clock(math.ceil(silence) + 30),
        "body_bytes": config.max_request_bytes,
        "drain_delay": max(math.ceil(config.drain_delay), LEAST_DRAIN_DELAY),
        "max_connections": config.max_streams + config.max_waiting,
        "queue_timeout": math.ceil(config.queue_seconds) or HAPROXY_QUEUE_SECONDS,
        "stop_timeout": stop_timeout(config),
    }


def stop_timeout(config: Config) -> int:
    """Return the seconds after which a service manager may end a shim that it has stopped."""
    return math.ceil(config.drain_delay + config.drain_seconds) + 10


def _address(config: Config) -> str:
    """Return an address of this machine at which the shim listens."""
    host = next((host for host in config.hosts if addresses.is_loopback(host)), config.hosts[0])
    host = "127.0.0.1" if host in ("*", "0.0.0.0", "::", "localhost") else host  # noqa: S104  compared, not bound
    return addresses.bracketed(host)


def _from_container(url: str) -> str:
    """Return where a container reaches a backend; this machine has a name of its own there."""
    host = urlsplit(url).hostname or ""
    if not addresses.is_loopback(host):
        return url
    shown = f"[{host}]" if ":" in host else host
    return url.replace(f"//{shown}", "//host.docker.internal", 1)


def _systemd_word(text: str) -> str:
    """Return a word of a command line as systemd reads it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if re.search(r"[\s\"';\\]", text) else escaped


_ENVIRONMENT.filters["systemd_word"] = _systemd_word


def _clock(seconds: int) -> str:
    """Return a time as IIS reads it, in whole minutes: its modules refuse a part of one."""
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    return f"{f'{days}.' if days else ''}{hours:02d}:{minutes:02d}:00"

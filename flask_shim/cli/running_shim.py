"""Find a shim that runs on this machine, ask it, and use its LM Studio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson

from flask_shim._version import __version__
from flask_shim.backend import client_options
from flask_shim.cli.setting_options import BAD_SETTINGS, CommandError, errors_as_text
from flask_shim.config import Config
from flask_shim.config.addresses import backend_root, bracketed
from flask_shim.doctor.probe import Prober, ProbeResponse
from flask_shim.serving.listeners import hosts_from_here
from flask_shim.serving.port_probe import SHIM, identify_server

_NAMES_LM_STUDIO = frozenset({"backend_url", "rest_url", "backend_token"})


def follow_running_shim(config: Config, url: str = "") -> Config:
    """Return ``config`` with the LM Studio of the shim at ``url``, or of the one that runs where the settings say.

    Settings that name LM Studio win. A token is never sent to an address that another program names.
    """
    if config.file.backends or not _NAMES_LM_STUDIO.isdisjoint(config.configured):
        return config
    url = url or _running_shim(config)
    if not url:
        return config
    with _prober(url, config) as prober:
        ready = prober.ask("GET", "/ready", seconds=config.list_timeout + 1).json
    try:
        lmstudio = backend_root(ready["lmstudio"])
    except (TypeError, KeyError, ValueError):
        note = f"the shim at {url} does not say where its LM Studio is; if it needs a key, set SHIM_API_KEY"
        return replace(config, notes=(*config.notes, note))
    note = f"the shim at {url} uses LM Studio at {lmstudio}"
    return replace(config, backend_url=lmstudio, rest_url=lmstudio, notes=(*config.notes, note))


class RunningShim:
    """The routes of a shim; every failure is a CommandError."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        return self._check(self._prober.ask("GET", path)).json

    def reload(self) -> Any:
        """Make the shim read ``flask-shim.toml`` again; return how many tables of each kind it has."""
        response = self._prober.ask("POST", "/shim/reload")
        if response.status == 409:
            raise CommandError(f"Nothing is changed.\n{response.error}", BAD_SETTINGS)
        return self._check(response).json

    def cancel(self, request_id: str) -> None:
        """Stop a request in flight."""
        self._check(self._prober.ask("DELETE", f"/shim/requests/{quote(request_id, safe='', errors='replace')}"))

    def stream(self, path: str, body: Any, request_id: str) -> Iterator[dict[str, Any]]:
        """Post JSON and yield the records of the answer; one with "error" is the last."""
        headers = {"X-Request-ID": request_id, "User-Agent": f"flask-shim/{__version__}"}
        try:
            for line in self._prober.post_lines(path, body, headers):
                yield orjson.loads(line)
        except (OSError, orjson.JSONDecodeError) as exc:
            raise CommandError(f"The answer of {self._prober.url} is not complete: {exc}.") from exc

    def _check(self, response: ProbeResponse) -> ProbeResponse:
        if response.is_good:
            return response
        if response.status == 401:
            raise CommandError("The shim asks for a key: set SHIM_API_KEY.")
        reason = response.fault or response.error or f"status {response.status}"
        raise CommandError(
            f"The shim at {self._prober.url} says: {reason}."
            if response.status
            else f"The shim at {self._prober.url} does not answer: {reason}."
        )


@contextmanager
def open_shim(url: str, options: dict[str, str | None]) -> Iterator[RunningShim]:
    """Connect to the shim at ``url``, or to the one that runs where the settings say."""
    with errors_as_text():
        config = Config.from_env(env_file=options.get("env_file"), with_tables=False)
    found = url or _running_shim(config)
    if not found:
        raise CommandError(
            f"No shim runs on port {config.port}. Start one with flask-shim serve, or name it with --url."
        )
    with _prober(found, config) as prober:
        yield RunningShim(prober)


def _prober(url: str, config: Config) -> Prober:
    return Prober(url, key=next(iter(config.api_keys), ""), verify=client_options(config).verify)


def _running_shim(config: Config) -> str:
    for host in hosts_from_here(config.hosts):
        if config.port and identify_server(host, config.port) == SHIM:
            return f"http://{bracketed(host)}:{config.port}"
    return ""

"""Find the LM Studio of a shim that runs on this machine."""

from __future__ import annotations

from dataclasses import replace

from flask_shim.config import Config
from flask_shim.config.addresses import EVERYWHERE, LOOPBACKS, backend_root, bracketed
from flask_shim.doctor.probe import Prober
from flask_shim.serving.listeners import REACHED_AS
from flask_shim.serving.port_probe import SHIM, identify_server

_NAMES_LM_STUDIO = frozenset({"backend_url", "rest_url", "backend_token"})


def follow_running_shim(config: Config, url: str = "") -> Config:
    """Return ``config`` with the LM Studio of the shim at ``url``, or of the one that runs where the settings say.

    Settings that name LM Studio win. A token is never sent to an address that another program names.
    """
    if not _NAMES_LM_STUDIO.isdisjoint(config.configured):
        return config
    url = url or _running_shim(config)
    if not url:
        return config
    with Prober(url, key=next(iter(config.api_keys), "")) as prober:
        ready = prober.ask("GET", "/ready", seconds=config.list_timeout + 1).json
    try:
        lmstudio = backend_root(ready["lmstudio"])
    except (TypeError, KeyError, ValueError):
        note = f"the shim at {url} does not say where its LM Studio is; if it needs a key, set SHIM_API_KEY"
        return replace(config, notes=(*config.notes, note))
    note = f"the shim at {url} uses LM Studio at {lmstudio}"
    return replace(config, backend_url=lmstudio, rest_url=lmstudio, notes=(*config.notes, note))


def _running_shim(config: Config) -> str:
    hosts = (
        *LOOPBACKS,
        *(REACHED_AS.get(host, host) for host in config.hosts if host not in (EVERYWHERE, "localhost")),
    )
    for host in dict.fromkeys(hosts):
        if config.port and identify_server(host, config.port) == SHIM:
            return f"http://{bracketed(host)}:{config.port}"
    return ""

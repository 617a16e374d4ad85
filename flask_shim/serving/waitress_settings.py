"""Settings for waitress, as keywords for our server and as options for ``waitress-serve``."""

from __future__ import annotations

from typing import Any

from waitress.adjustments import Adjustments

from flask_shim.config import Config
from flask_shim.config.addresses import bracketed

OUTPUT_FACTOR = 4
"""How much longer our answer may be than LM Studio's, as every record repeats the model's name."""

APP = "flask_shim:create_app"


def adjustments(config: Config) -> dict[str, Any]:
    """Return waitress' settings without the addresses; sizes are in bytes, times in seconds."""
    return {
        "threads": config.threads,
        # Without the lookahead a disconnect before the first token is not noticed.
        "channel_request_lookahead": 1,
        # select() fails with the 1024th descriptor. Windows has no poll(), so this has no effect there.
        "asyncore_use_poll": True,
        "connection_limit": config.connection_limit,
        "channel_timeout": 120,
        "cleanup_interval": 10,
        # waitress parses an incomplete chunk-size line from its beginning after each read: read in large pieces.
        "recv_bytes": 262_144,
        "max_request_header_size": 32_768,
        # waitress rejects a body of exactly its limit, we accept one of ours.
        "max_request_body_size": config.max_request_bytes + 1,
        # At this mark a thread waits until the client reads, so no answer may reach it. waitress keeps unread data in a
        # temporary file from the first megabyte on.
        "outbuf_high_watermark": max(OUTPUT_FACTOR * config.max_stream_bytes, Adjustments.outbuf_high_watermark),
        "ident": None,
        "expose_tracebacks": False,
        # They show that a request came through a local proxy, whose clients must not see the inspector.
        "clear_untrusted_proxy_headers": False,
    }


def waitress_arguments(config: Config) -> list[str]:
    """Return the arguments with which ``waitress-serve`` has our settings, the app last."""
    listen = [f"--listen={bracketed(host)}:{config.port}" for host in config.hosts]
    # waitress' own defaults are left out.
    wanted = {name: value for name, value in adjustments(config).items() if value != getattr(Adjustments, name)}
    return [*listen, *(_option(name, value) for name, value in wanted.items()), "--call", APP]


def _option(name: str, value: Any) -> str:
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{dashed}" if value else f"--no-{dashed}"
    return f"--{dashed}={'' if value is None else value}"

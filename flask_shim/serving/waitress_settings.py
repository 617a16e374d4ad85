"""How waitress is set: one table, as keywords for our own start and as options for ``waitress-serve``."""

from __future__ import annotations

from typing import Any

from waitress.adjustments import Adjustments

from flask_shim.config import Config
from flask_shim.config.addresses import bracketed

OUTPUT_FACTOR = 4
"""How much longer an answer may be than LM Studio's: its words are fewer, but a line repeats the model's name."""

APP = "flask_shim:create_app"


def adjustments(config: Config) -> dict[str, Any]:
    """Return waitress' settings, without the addresses; sizes are bytes, times seconds."""
    return {
        "threads": config.threads,
        # Without it a disconnect before the first token is not noticed.
        "channel_request_lookahead": 1,
        # select() ends the process at the 1024th descriptor; on Windows, which has nothing else, this does nothing.
        "asyncore_use_poll": True,
        "connection_limit": config.connection_limit,
        "channel_timeout": 120,
        "cleanup_interval": 10,
        # A chunk-size line that never ends is read again from its beginning with every read: so few and large ones.
        "recv_bytes": 262_144,
        "max_request_header_size": 32_768,
        # waitress refuses a body of exactly its limit; ours is the largest one that is taken.
        "max_request_body_size": config.max_request_bytes + 1,
        # Where a client does not read, a thread waits at this mark for as long as the client likes: so no answer may
        # reach it. What is unread lies in a temporary file from the first megabyte on.
        "outbuf_high_watermark": max(OUTPUT_FACTOR * config.max_stream_bytes, Adjustments.outbuf_high_watermark),
        "ident": None,
        "expose_tracebacks": False,
        "clear_untrusted_proxy_headers": True,
    }


def waitress_arguments(config: Config) -> list[str]:
    """Return the arguments for ``waitress-serve`` that make the same server, the app last."""
    listen = [f"--listen={bracketed(host)}:{config.port}" for host in config.hosts]
    # What waitress does anyway would only hide what matters.
    wanted = {name: value for name, value in adjustments(config).items() if value != getattr(Adjustments, name)}
    return [*listen, *(_option(name, value) for name, value in wanted.items()), "--call", APP]


def _option(name: str, value: Any) -> str:
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{dashed}" if value else f"--no-{dashed}"
    return f"--{dashed}={'' if value is None else value}"

"""Identify the program that already listens on an address."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import NamedTuple

import orjson
import requests

from flask_shim.config.addresses import bracketed

CONNECT_SECONDS = 0.5
"""A program on this machine accepts at once; Windows needs 2 s to refuse a connection."""

ANSWER_SECONDS = 1.0
ANSWER_BYTES = 4096

SHIM = "another flask-shim"
OLLAMA = "Ollama"

OLLAMA_ROOT = b"Ollama is running"


class PortReply(NamedTuple):
    """The answer for one path: its first bytes, and whether it demands a key in the shim's way."""

    status: int = 0
    body: bytes = b""
    asks_key: bool = False


def identify_server(host: str, port: int) -> str | None:
    """Return which program accepts connections there, None if no program does."""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except ConnectionResetError:  # accepted, and reset before this thread looked
        return "another program"
    except OSError:
        return None
    return _name(f"http://{bracketed(host)}:{port}")


def how_to_stop(who: str) -> str:
    """Return how to stop a program that :func:`identify_server` named, as the beginning of a sentence."""
    return "Stop it (quit it from its icon; on Linux: systemctl stop ollama)" if who.startswith(OLLAMA) else "Stop it"


def _name(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        root = _ask(session, f"{url}/")
        if not root.status:
            return "another program"
        version, health = _ask(session, f"{url}/api/version"), _ask(session, f"{url}/health")
    version_text = _json(version).get("version")
    is_ollama = root.body.strip() == OLLAMA_ROOT or isinstance(version_text, str)
    # Other servers have such a /health, too; a shim with a key hides its version.
    if _json(health).get("status") == "ok" and (is_ollama or version.asks_key):
        return SHIM
    if is_ollama:
        return f"{OLLAMA} {version_text}" if isinstance(version_text, str) else OLLAMA
    return "another program"


def _ask(session: requests.Session, url: str) -> PortReply:
    try:
        with session.get(url, timeout=ANSWER_SECONDS, stream=True, allow_redirects=False) as response:
            body = next(response.iter_content(ANSWER_BYTES), b"")
            asks_key = response.status_code == 401 and response.headers.get("WWW-Authenticate") == "Bearer"
            return PortReply(response.status_code, body, asks_key)
    except (requests.RequestException, OSError):
        return PortReply()  # no answer, or not HTTP


def _json(reply: PortReply) -> dict[str, object]:
    with suppress(orjson.JSONDecodeError):  # not a program that we know
        value = orjson.loads(reply.body)
        return value if isinstance(value, dict) else {}
    return {}

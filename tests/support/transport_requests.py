"""How the tests of the transport send something and read what comes back."""

from __future__ import annotations

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.api_versions import ApiVersion

LIST = ApiVersion.V1.value
CHAT = "/v1/chat/completions"


def post(client, call=None, body=b"{}"):
    """Send a generation and return its open answer."""
    return client.open("POST", CHAT, call or BackendCall(), body)


def get_list(client, timeout=5.0):
    """Ask for the list of models and return it."""
    return client._transport.exchange("GET", LIST, timeout=timeout)


def read_body(client):
    """Send a generation and return the whole body of its answer."""
    with post(client) as answer:
        return answer.read_all(1 << 20)

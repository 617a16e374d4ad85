"""How to reach the backend: addresses, credentials, limits, a trace. Times are seconds, None means no limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """The options of a client.

    ``base_url`` precedes ``/v1/...``, ``rest_url`` (default: the same) precedes ``/api/...``; both have no trailing
    slash. ``first_byte_timeout`` includes prompt processing and just-in-time loading, which may take minutes without a
    byte; ``idle_timeout`` is the longest gap between two later events. At most ``max_waiting`` threads wait for a slow
    model list until its timeout.
    """

    base_url: str = "http://127.0.0.1:1234"
    rest_url: str = ""
    token: str | None = field(default=None, repr=False)
    connect_timeout: float | None = 3.0
    first_byte_timeout: float | None = 600.0
    idle_timeout: float | None = 300.0
    total_timeout: float | None = None
    list_timeout: float | None = 10.0
    load_timeout: float | None = 600.0
    connect_retries: int = 1
    retry_backoff: float = 0.25
    verify: bool | str = True
    max_connections: int = 50
    max_keepalive_connections: int = 20
    chunk_size: int = 131_072
    max_line_bytes: int = 1 << 20
    max_answer_bytes: int = 64 << 20
    catalogue_ttl: float = 30.0
    max_waiting: int | None = None

    def url(self, path: str) -> str:
        """Return the address of ``path``, which begins with ``/v1/`` or is one of LM Studio's own routes."""
        root = self.base_url if path.startswith("/v1/") else self.rest_url or self.base_url
        return root + path


class Trace(Protocol):
    """Receives what is sent for a call and what comes back."""

    def add_request(self, method: str, path: str, body: bytes | None) -> None:
        """Note a request."""

    def add_answer(self, status: int, read: Callable[[], bytes], token: str | None) -> Callable[[], bytes]:
        """Note the head of its answer, which may quote the API ``token``; return what replaces ``read``."""

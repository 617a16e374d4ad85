"""How to reach the backend: addresses, credentials, limits. Times are seconds, None means no limit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Everything the client needs to know about one LM Studio.

    ``base_url`` is the root that ``/v1/...`` hangs on, ``rest_url`` the one for ``/api/...``; both without a
    trailing slash. ``first_byte_timeout`` covers prompt processing and just-in-time loading, which are silent for
    minutes; ``idle_timeout`` is the longest gap between two events after the first. ``most_waiting`` is how many
    threads may wait for a slow model list to the end.
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
        """Return the address of ``path``, which starts with ``/v1/`` (OpenAI's) or anything else (LM Studio's own)."""
        if path.startswith("/v1/"):
            return self.base_url + path
        return (self.rest_url or self.base_url) + path

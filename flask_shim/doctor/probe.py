"""Send one request as a client does, and record the response."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests
import urllib3

from flask_shim.lmstudio.http.error_parsing import error_text

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
"""The shortest timeout of a client for a list."""

MOST_BYTES = 16 * 1024 * 1024
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResponse:
    """The response. With ``status`` 0 there was none; ``fault`` says why, also for an incomplete body.

    Header names are lower case. ``arrivals`` has the seconds from the request to each piece of the body.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: str = ""
    seconds: float = 0.0
    arrivals: tuple[float, ...] = ()

    @property
    def json(self) -> Any:
        """The JSON value of the body, None if it is not JSON."""
        with suppress(orjson.JSONDecodeError):  # not JSON
            return orjson.loads(self.body)
        return None

    @property
    def is_good(self) -> bool:
        """Whether the response is complete and successful."""
        return 200 <= self.status < 300 and not self.fault

    @property
    def error(self) -> str:
        """The error text of any protocol."""
        return error_text(self.body)


class Prober:
    """Sends requests to one server, independently of the environment; a context manager."""

    def __init__(self, url: str, *, key: str = "", verify: bool | str = True) -> None:
        """Send ``key`` with every request that has no Authorization header."""
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify
        self._session.headers.clear()
        self._session.headers["Accept-Encoding"] = "gzip, deflate"  # as clients do: a proxy in front may compress
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        seconds: float | None = ANSWER_SECONDS,
    ) -> ProbeResponse:
        """Send one request; ``seconds`` limits the time between two pieces of the response.

        ``body`` is sent as JSON; only ``headers`` set its type, as some clients send none.
        """
        data = None if body is None else json.dumps(body).encode()
        started = time.monotonic()
        try:
            response = self._session.request(
                method,
                self.url + path,
                headers=headers,
                data=data,
                timeout=(CONNECT_SECONDS, seconds),
                stream=True,
                allow_redirects=False,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            return ProbeResponse(fault=_fault(exc, seconds), seconds=time.monotonic() - started)
        with closing(response):
            return _read(response, started, seconds)

    def post_lines(self, path: str, body: Any, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Post ``body`` as JSON and yield the lines of the response as they come, without a time limit.

        Raise ConnectionError if it breaks. Closing the generator disconnects.
        """
        data = json.dumps(body).encode()
        try:
            with self._session.post(
                self.url + path, headers=headers, data=data, timeout=(CONNECT_SECONDS, None), stream=True
            ) as response:
                yield from response.iter_lines(chunk_size=None)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise ConnectionError(_fault(exc, None)) from exc


def _read(response: requests.Response, started: float, seconds: float | None) -> ProbeResponse:
    pieces: list[bytes] = []
    arrivals: list[float] = []
    fault, size = "", 0
    try:
        for piece in iter(lambda: response.raw.read1(_READ_BYTES, decode_content=True), b""):
            pieces.append(piece)
            arrivals.append(time.monotonic() - started)
            size += len(piece)
            if size > MOST_BYTES:
                fault = "it does not end"
                break
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        fault = _fault(exc, seconds)
    return ProbeResponse(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=b"".join(pieces),
        fault=fault,
        seconds=time.monotonic() - started,
        arrivals=tuple(arrivals),
    )


def _fault(exc: BaseException, seconds: float | None) -> str:
    """Return the reason in a few words."""
    if isinstance(exc, requests.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(exc, requests.Timeout | urllib3.exceptions.TimeoutError):
        return f"no answer within {seconds} s"
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    if isinstance(exc, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "the name can't be looked up"
    if isinstance(reason, urllib3.exceptions.NewConnectionError) and "refused" in str(reason).lower():
        return "connection refused"
    return "the connection broke"

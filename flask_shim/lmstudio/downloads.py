"""Start or join downloads of models, and follow them until they are complete."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson

from flask_shim.lmstudio.api_versions import whole_number
from flask_shim.lmstudio.errors import BackendError, BackendProtocolError, BackendRequestError, ServerBusy
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.error_parsing import error_text
from flask_shim.lmstudio.http.transport import Transport

DOWNLOAD = "/api/v1/models/download"

POLL_SECONDS = 0.5
"""The interval between two requests for the progress of a download."""

PATIENCE_SECONDS = 30.0
"""How long those requests may fail: LM Studio does not answer them while it moves a large file into place.

A status that is not documented may last as long without progress: it may mean an end.
"""

_ONGOING, _ENDED = ("downloading", "paused"), ("completed", "already_downloaded", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """The state of a download. Sizes that LM Studio does not report are None.

    ``status`` is LM Studio's: downloading, paused, completed, failed or already_downloaded. ``error`` is why it failed,
    or why its progress is not known at the moment.
    """

    status: str
    job_id: str = ""
    done_bytes: int | None = None
    total_bytes: int | None = None
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the whole model is on disk."""
        return self.status in ("completed", "already_downloaded")


def read_download(value: Any) -> Download:
    """Read LM Studio's answer about a download; raise BackendProtocolError if it has no status."""
    if not isinstance(value, Mapping) or not isinstance(value.get("status"), str):
        raise BackendProtocolError("LM Studio's answer says nothing about the download")
    job_id = value.get("job_id")
    return Download(
        status=value["status"],
        job_id=job_id if isinstance(job_id, str) else "",
        done_bytes=whole_number(value.get("downloaded_bytes")),
        total_bytes=whole_number(value.get("total_size_bytes")),
        error=error_text(orjson.dumps(value.get("error_message") or value.get("error") or "")),
    )


class Downloads:
    """The downloads of one LM Studio, over HTTP."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._jobs: dict[tuple[str, str | None], str] = {}

    def follow(self, name: str, quantization: str | None, call: BackendCall) -> Iterator[Download]:
        """Yield one state after the other until the download is complete; raise if it fails.

        A download of the same model that already runs is joined. Closing the iterator does not end the download: LM
        Studio has no route for that.
        """
        state = self._join(name, quantization, call) or self._start(name, quantization, call)
        job_id, went_on_at = state.job_id, time.monotonic()
        if not job_id and not state.is_complete:
            raise BackendProtocolError(state.error or "LM Studio does not say how to ask for the download's progress")
        self._jobs[name, quantization] = job_id
        while True:
            if state.status == "failed" or state.is_complete:
                self._jobs.pop((name, quantization), None)
            if state.status == "failed":
                raise BackendError(state.error or "the download failed")
            yield state
            if state.is_complete:
                return
            call.pause(POLL_SECONDS)
            before = state.done_bytes
            try:
                state = self._status(job_id, call)
                if state.status not in (*_ONGOING, *_ENDED) and state.done_bytes == before:
                    raise BackendError(f"the download makes no progress, and its status is {state.status!r}")
                went_on_at = time.monotonic()
            except (BackendError, ServerBusy) as exc:
                if isinstance(exc, BackendRequestError) or time.monotonic() - went_on_at > PATIENCE_SECONDS:
                    raise
                state = replace(state, error=exc.text)

    def _start(self, name: str, quantization: str | None, call: BackendCall) -> Download:
        body = orjson.dumps({"model": name} | ({"quantization": quantization} if quantization else {}))
        timeout = self._transport.options.first_byte_timeout
        return read_download(self._transport.exchange("POST", DOWNLOAD, body, timeout=timeout, call=call))

    def _join(self, name: str, quantization: str | None, call: BackendCall) -> Download | None:
        """Return the state of the running download that this client started before, otherwise None."""
        if (job_id := self._jobs.get((name, quantization))) is None:
            return None
        try:
            state = self._status(job_id, call)
        except BackendRequestError:
            return None  # LM Studio was restarted and has forgotten the job
        return state if state.status in _ONGOING else None

    def _status(self, job_id: str, call: BackendCall) -> Download:
        path, timeout = f"{DOWNLOAD}/status/{quote(job_id, safe='')}", self._transport.options.list_timeout
        return read_download(self._transport.exchange("GET", path, timeout=timeout, call=call))

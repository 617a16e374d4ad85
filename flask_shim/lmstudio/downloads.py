"""Downloads of models: started, joined and followed until they are complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from flask_shim.lmstudio.api_versions import whole_number
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    BackendUnavailable,
)
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.error_parsing import error_text
from flask_shim.lmstudio.http.transport import Transport
from flask_shim.lmstudio.lms.tool import CliTool

DOWNLOAD = "/api/v1/models/download"

POLL_SECONDS = 0.5
"""How often LM Studio is asked how far a download is."""

PATIENCE_SECONDS = 30.0
"""For how long it may leave that question unanswered: it is busy while it puts a large file into place."""

_LOOK_SECONDS = 0.1

Wait = Callable[[BackendCall, float], None]
"""Waits for so many seconds; raises at once when the call is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One moment of a download. Sizes are bytes, None where they are not told.

    ``status`` is LM Studio's word: downloading, paused, completed, failed or already_downloaded.
    """

    status: str
    job_id: str = ""
    done_bytes: int | None = None
    total_bytes: int | None = None
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the model is there."""
        return self.status in ("completed", "already_downloaded")


def read_download(value: Any) -> Download:
    """Read LM Studio's answer about a download; BackendBroke if it is none."""
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


def pause(call: BackendCall, seconds: float) -> None:
    """Wait, and raise what the call is cancelled with meanwhile."""
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        call.check()
        time.sleep(min(left, _LOOK_SECONDS))
    call.check()


class Downloads:
    """The downloads of one LM Studio, over HTTP."""

    def __init__(self, transport: Transport, wait: Wait = pause) -> None:
        """Ask through ``transport``; ``wait`` is what happens between two questions."""
        self._transport = transport
        self._wait = wait
        self._jobs: dict[tuple[str, str | None], str] = {}

    def start(self, name: str, quantization: str | None, call: BackendCall) -> Download:
        """Start to download; what is there already is complete at once."""
        payload = {"model": name} | ({"quantization": quantization} if quantization else {})
        return read_download(
            self._transport.exchange(
                "POST", DOWNLOAD, orjson.dumps(payload), timeout=self._transport.options.first_byte_timeout, call=call
            )
        )

    def status(self, job_id: str, call: BackendCall) -> Download:
        """Return how far it is."""
        path = f"{DOWNLOAD}/status/{quote(job_id, safe='')}"
        return read_download(
            self._transport.exchange("GET", path, timeout=self._transport.options.list_timeout, call=call)
        )

    def follow(self, name: str, quantization: str | None, call: BackendCall) -> Iterator[Download]:
        """Yield one moment after the other until the model is there; raise if it will not come.

        A download that already runs is joined. It does not end when this does: LM Studio has no way to cancel one.
        """
        state = self._joined(name, quantization, call) or self.start(name, quantization, call)
        job_id, answered_at = state.job_id, time.monotonic()
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
            self._wait(call, POLL_SECONDS)
            try:
                state, answered_at = self.status(job_id, call), time.monotonic()
            except (BackendProtocolError, BackendTimeout, BackendUnavailable):
                if time.monotonic() - answered_at > PATIENCE_SECONDS:
                    raise

    def _joined(self, name: str, quantization: str | None, call: BackendCall) -> Download | None:
        """Return the state of the download of it that runs, as far as we know of one."""
        job_id = self._jobs.get((name, quantization))
        if job_id is None:
            return None
        try:
            state = self.status(job_id, call)
        except BackendRequestError:
            return None  # LM Studio was restarted and has forgotten the job
        return state if state.status in ("downloading", "paused") else None


def follow_with_tool(tool: CliTool, name: str, quantization: str | None, call: BackendCall) -> Iterator[Download]:
    """Download with the ``lms`` tool; yield one moment after the other as :meth:`Downloads.follow` does."""
    state = Download(status="downloading")
    yield state
    told_at = time.monotonic()
    with closing(tool.get(f"{name}@{quantization}" if quantization else name, call=call)) as progress:
        for step in progress:
            state = Download(status="downloading", done_bytes=step.done_bytes, total_bytes=step.total_bytes)
            if time.monotonic() - told_at >= POLL_SECONDS:
                told_at = time.monotonic()
                yield state
    yield Download(status="completed", done_bytes=state.total_bytes, total_bytes=state.total_bytes)

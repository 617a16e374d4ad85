"""Downloads from a folder that stands for the model catalogue: real bytes at a limited rate, in the background."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from flask_shim.embedded.library import Entry, Library

log = logging.getLogger(__name__)

STEP_SECONDS = 0.05
HUGGING_FACE = "https://huggingface.co/"


@dataclass(eq=False)
class Job:
    """One download; ``state`` is downloading, completed or failed."""

    id: str
    key: str
    total_bytes: int
    started_at: datetime
    downloaded_bytes: int = 0
    state: str = "downloading"
    completed_at: datetime | None = None
    error: str | None = None

    def started(self) -> dict[str, Any]:
        """Return the answer to the request that started it."""
        return {
            "job_id": self.id,
            "status": "downloading",
            "total_size_bytes": self.total_bytes,
            "started_at": _stamp(self.started_at),
        }

    def status(self) -> dict[str, Any]:
        """Return the state of the job; speed and estimated end only while it runs."""
        status = self.started() | {"status": self.state, "downloaded_bytes": self.downloaded_bytes}
        now = datetime.now(timezone.utc)
        speed = self.downloaded_bytes / max((now - self.started_at).total_seconds(), 1e-3)
        if self.state == "downloading" and speed:
            left = timedelta(seconds=(self.total_bytes - self.downloaded_bytes) / speed)
            status |= {"bytes_per_second": speed, "estimated_completion": _stamp(now + left)}
        if self.completed_at:
            status["completed_at"] = _stamp(self.completed_at)
        if self.error:
            status["error_message"] = self.error
        return status


class Downloads:
    """Copies models from the folder ``catalogue`` to ``target`` at ``rate`` bytes per second."""

    def __init__(self, catalogue: Path, target: Path, rate: float) -> None:
        self._catalogue, self._folder = Library(catalogue), catalogue
        self._target, self._rate = target, rate
        self._jobs: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []
        self._closing, self._lock = threading.Event(), threading.Lock()

    def start(self, name: str, quantization: str | None) -> dict[str, Any] | None:
        """Start a download and return LM Studio's answer; None if the catalogue has no such model."""
        entry = next(self._matches(name, quantization), None)
        if entry is None:
            return None
        files = {path: self._target / path.relative_to(self._folder) for path in entry.files()}
        if all(target.exists() for target in files.values()):
            return {"status": "already_downloaded"}
        with self._lock:
            running = next((j for j in self._jobs.values() if j.key == entry.key and j.state == "downloading"), None)
            if running is not None:
                return running.started()
            job = Job(f"job_{secrets.token_hex(5)}", entry.key, entry.size_bytes, datetime.now(timezone.utc))
            self._jobs[job.id] = job
            thread = threading.Thread(target=self._run, args=(job, files), name=job.id, daemon=True)
            self._threads.append(thread)
            thread.start()
            return job.started()

    def status(self, job_id: str) -> dict[str, Any] | None:
        """Return the state of a job, None for an unknown id."""
        job = self._jobs.get(job_id)
        return job.status() if job else None

    def close(self) -> None:
        """Cancel all downloads."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _matches(self, name: str, quantization: str | None) -> Iterator[Entry]:
        """Yield the models that a key, the start of a key or a Hugging Face address names."""
        wanted = name.removeprefix(HUGGING_FACE).strip("/").lower()
        for entry in self._catalogue.entries():
            fits = quantization is None or (entry.quantization or "").lower() == quantization.lower()
            if fits and (entry.key == wanted or (quantization and entry.key.startswith(wanted))):
                yield entry

    def _run(self, job: Job, files: dict[Path, Path]) -> None:
        try:
            for source, target in files.items():
                self._copy(job, source, target)
        except OSError as exc:
            log.warning("download failed job=%s reason=%s", job.id, exc.strerror)
            job.state, job.error = "failed", exc.strerror or "The download failed."
        else:
            job.completed_at = datetime.now(timezone.utc)
            job.state = "completed"

    def _copy(self, job: Job, source: Path, target: Path) -> None:
        """Copy under another name first, so that no list shows a part of a model."""
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        try:
            with source.open("rb") as old, unfinished.open("wb") as new:
                while chunk := old.read(max(1, int(self._rate * STEP_SECONDS))):
                    new.write(chunk)
                    job.downloaded_bytes += len(chunk)
                    if self._closing.wait(STEP_SECONDS):
                        raise InterruptedError(0, "The download was canceled.")
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")

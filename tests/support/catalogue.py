"""A model catalogue for a miniature LM Studio: real bytes at a limited rate, in the background."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from flask import g

from flask_shim.embedded import MiniLMStudio, error_bodies
from flask_shim.embedded.library import Entry, Library

STEP_SECONDS = 0.05
HUGGING_FACE = "https://huggingface.co/"


class Catalogue:
    """Lets a miniature download the models of a folder; :meth:`close` cancels what runs.

    ``started`` are the models whose download was started, ``status_requests`` counts the questions about one.
    """

    def __init__(self, miniature: MiniLMStudio, folder: Path, target: Path, rate: float = 20e6) -> None:
        """Replace the routes that refuse downloads; ``rate`` is in bytes per second."""
        self.started: list[str] = []
        self.status_requests = 0
        self._folder, self._target, self._rate = folder, target, rate
        self._jobs: dict[str, dict[str, Any]] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        miniature.app.view_functions["models.download"] = self._download
        miniature.app.view_functions["models.download_status"] = self._status

    def close(self) -> None:
        """End all downloads."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _download(self) -> Any:
        name, quantization = g.body["model"], g.body.get("quantization", "")
        wanted = name.removeprefix(HUGGING_FACE).lower()
        entries = Library(self._folder).entries()
        fitting = (each for each in entries if each.key in (wanted, f"{wanted}-{quantization.lower()}"))
        entry = next(fitting, None)
        if entry is None:
            text = f'Model "{name}" was not found.'
            raise error_bodies.native(text, "model_not_found", "model", "model_not_found", 404)
        target = self._target / entry.path.relative_to(self._folder)
        if target.exists():
            return error_bodies.json_answer({"status": "already_downloaded"})
        if entry.key not in self._jobs:
            self.started.append(entry.key)
            self._jobs[entry.key] = {
                "job_id": entry.key.replace("/", "-"),
                "status": "downloading",
                "total_size_bytes": entry.size_bytes,
                "downloaded_bytes": 0,
                "started_at": "2026-11-01T12:00:00.000Z",
            }
            self._threads.append(threading.Thread(target=self._copy, args=(entry, target)))
            self._threads[-1].start()
        return error_bodies.json_answer(self._jobs[entry.key])

    def _status(self, job_id: str) -> Any:
        self.status_requests += 1
        return error_bodies.json_answer(next(job for job in self._jobs.values() if job["job_id"] == job_id))

    def _copy(self, entry: Entry, target: Path) -> None:
        """Copy under another name first, so that no list shows a part of a model."""
        job = self._jobs[entry.key]
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        with entry.path.open("rb") as old, unfinished.open("wb") as new:
            while chunk := old.read(int(self._rate * STEP_SECONDS)):
                new.write(chunk)
                job["downloaded_bytes"] += len(chunk)
                if self._closing.wait(STEP_SECONDS):
                    return
        unfinished.replace(target)
        job["status"] = "completed"

"""Make a model ready for requests: download it if necessary, and load it in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from flask_shim.errors import ShimError
from flask_shim.lmstudio.client import LMStudio
from flask_shim.lmstudio.downloads import Download
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    ModelNotFound,
    NotSupported,
    ServerBusy,
)
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.model import Model

log = logging.getLogger(__name__)

DEFAULT_MODEL = "openai/gpt-oss-20b"

SETTLE_SECONDS = 5.0
"""How long LM Studio may take to list a model after its download."""

_LOOK_SECONDS = 0.25
_NO_LIST = (BackendTimeout, BackendProtocolError, ServerBusy)
"""LM Studio runs, but did not list its models; they may work all the same."""

OnProgress = Callable[[Download], object]


class Preload:
    """The load of a model on a daemon thread."""

    def __init__(self, lmstudio: LMStudio, key: str, call: BackendCall) -> None:
        self.key = key
        self.failure: ShimError | None = None
        self._thread = threading.Thread(target=self._run, args=(lmstudio, call), name="shim-preload", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end, at most ``seconds``; return whether the model is loaded."""
        self._thread.join(seconds)
        return not self._thread.is_alive() and self.failure is None

    def _run(self, lmstudio: LMStudio, call: BackendCall) -> None:
        try:
            lmstudio.preload(self.key, call=call)
        except ShimError as exc:
            self.failure = exc
            log.warning("model=%s is not preloaded: %s", self.key, exc.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What was done to make a model ready.

    ``key`` is the name to send to LM Studio. ``preload`` is None if the model was loaded already or need not be.
    ``warnings`` are problems that do not prevent chats.
    """

    key: str
    was_downloaded: bool = False
    is_loaded: bool = False
    preload: Preload | None = None
    warnings: tuple[str, ...] = ()


def ensure_ready(
    lmstudio: LMStudio,
    name: str = DEFAULT_MODEL,
    *,
    quantization: str | None = None,
    preload: bool = True,
    on_progress: OnProgress = lambda _: None,
    call: BackendCall | None = None,
) -> Readiness:
    """Download a model if it is missing, then load it in the background if ``preload``.

    ``on_progress`` receives each state of the download. Raises if LM Studio cannot be reached or the model cannot be
    downloaded; lesser problems are warnings in the log and in the result.
    """
    call = call or BackendCall()
    try:
        lmstudio.listing(max_age=0)
    except _NO_LIST as exc:
        warning = f"LM Studio did not list its models, so {name!r} may be missing: {exc.text}"
        return _log_warning(Readiness(key=name, warnings=(warning,)))
    model, was_downloaded = _lookup(lmstudio, name), False
    if model is None:
        model, was_downloaded = _download(lmstudio, name, quantization, on_progress, call), True
    if model is None:
        warning = f"downloaded {name!r}, but LM Studio lists no model with that key"
        return _log_warning(Readiness(key=name, was_downloaded=True, warnings=(warning,)))
    loading = Preload(lmstudio, model.key, call) if preload and not model.is_loaded else None
    return Readiness(key=model.key, was_downloaded=was_downloaded, is_loaded=model.is_loaded, preload=loading)


def _download(
    lmstudio: LMStudio, name: str, quantization: str | None, on_progress: OnProgress, call: BackendCall
) -> Model | None:
    """Download the model and return it; None if no listed model is certainly it."""
    before = {model.key for model in lmstudio.models()}
    try:
        with closing(lmstudio.download(name, quantization, call=call)) as states:
            for state in states:
                on_progress(state)
    except NotSupported as exc:
        raise NotSupported(f"LM Studio has no model {name!r}, and {exc.text}") from exc
    except BackendRequestError as exc:
        text = f"LM Studio has no model {name!r}, and does not download it: {exc.text}"
        raise BackendRequestError(text, status=exc.status) from exc
    ends_at = time.monotonic() + SETTLE_SECONDS
    while (model := _lookup(lmstudio, name, before)) is None and time.monotonic() < ends_at:
        call.pause(_LOOK_SECONDS)
    return model


def _lookup(lmstudio: LMStudio, name: str, before: set[str] | None = None) -> Model | None:
    """Return the model of that name, or the only one that was not listed ``before``."""
    try:
        return lmstudio.find(name, max_age=0)
    except ModelNotFound:
        new = [model for model in lmstudio.models() if model.key not in before] if before is not None else []
        return new[0] if len(new) == 1 else None


def _log_warning(readiness: Readiness) -> Readiness:
    log.warning("%s", readiness.warnings[0])
    return readiness

"""A pull from its first line to its last: watched while LM Studio downloads, and usable when it says "success"."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing

from flask_shim.errors import ClientDisconnected, ShimError
from flask_shim.lmstudio import BackendCall, Model
from flask_shim.lmstudio.downloads import Download, pause
from flask_shim.lmstudio.readiness import SETTLE_SECONDS
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.slots import draining_error
from flask_shim.services import Services
from flask_shim.translate.ollama.alias import copied, is_alias_name, plain
from flask_shim.translate.ollama.listing import digest
from flask_shim.translate.ollama.pull_records import BEGIN, END, Step, Wanted, pulled_model, pulling

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25

Steps = Generator[Step, None, None]


def pull(services: Services, name: str, wanted: Wanted, target: ResolvedModel | None, call: BackendCall) -> Steps:
    """Yield Ollama's lines for a pull; ``target`` is there when the model is, and then nothing is downloaded.

    Ends at once when the client goes; LM Studio goes on downloading, and the next pull joins it.
    """
    yield BEGIN
    if target is not None:
        size = target.model.size_bytes
        yield pulling(digest(target.entry), size, size)
        yield from END
        return
    with closing(_downloaded(services, wanted, call)) as steps:
        yield from steps
    yield from END[:-1]
    _settle(services, name, wanted, call)
    yield END[-1]


def _downloaded(services: Services, wanted: Wanted, call: BackendCall) -> Steps:
    with closing(services.backend.download(wanted.model, wanted.quantization, call=call)) as moments:
        moment = _first(moments)
        while moment is not None:
            if services.slots.draining:
                raise draining_error()
            yield _line(services, wanted, moment)
            moment = next(moments, None)


def _first(moments: Generator[Download, None, None]) -> Download | None:
    try:
        return next(moments, None)
    except ClientDisconnected:
        raise
    except ShimError as exc:
        raise ShimError(f"pull model manifest: {exc.text}") from exc


def _line(services: Services, wanted: Wanted, moment: Download) -> Step:
    total, done = moment.total_bytes, moment.done_bytes
    if moment.is_complete:
        total = total or _size(services, wanted)
        done = total
    return pulling(wanted.digest, total, done)


def _size(services: Services, wanted: Wanted) -> int | None:
    model = _listed(services, wanted)
    return model.size_bytes if model else None


def _listed(services: Services, wanted: Wanted) -> Model | None:
    return pulled_model(wanted, services.backend.listing(max_age=0).models)


def _settle(services: Services, name: str, wanted: Wanted, call: BackendCall) -> None:
    """Wait until the model can be asked for by the name it was pulled by: clients do once they read "success".

    Where LM Studio lists it under another one, that name becomes an alias: clients go on with the name they pulled.
    """
    ends_at = time.monotonic() + SETTLE_SECONDS
    while not _is_usable(services, name, wanted):
        if time.monotonic() > ends_at:
            log.warning("pulled model=%s, but LM Studio lists nothing that is surely it", name)
            return
        pause(call, _LOOK_SECONDS)


def _is_usable(services: Services, name: str, wanted: Wanted) -> bool:
    try:
        model = _listed(services, wanted)
        if services.directory.find(name) is not None:
            return True
        if model is None or not is_alias_name(name):
            return False
        services.aliases.put(copied(plain(model, _identifier(wanted, model)), name, time.time_ns()))
    except ShimError as exc:  # the model is there all the same
        log.warning("pulled model=%s cannot be looked for: %s", name, exc.text)
        return False
    log.info("pulled model=%s is %s", name, model.key)
    return True


def _identifier(wanted: Wanted, model: Model) -> str:
    """Return the variant that was pulled, the key where LM Studio lists none."""
    variant = (wanted.quantization or wanted.model.partition("@")[2]).lower()
    return next((text for text in model.variants if variant and text.lower().endswith(f"@{variant}")), model.key)

"""Ollama's pull: LM Studio downloads, the client receives the progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress

import orjson
from flask import Blueprint, Response, request

from flask_shim.error_responses import ollama_error
from flask_shim.errors import BadRequest, ShimError
from flask_shim.inference.pull_progress import Pull, Steps, already_pulled
from flask_shim.inference.streaming import StreamedAnswer, stream_response
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import BackendError, ModelNotFound, NotSupported
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.naming import CHAT_NAMING
from flask_shim.schemas.ollama_requests import load_pull
from flask_shim.services import services
from flask_shim.translate.answer.encoder import NDJSON
from flask_shim.translate.ollama.names import is_valid

bp = Blueprint("pull", __name__)

CANNOT_DOWNLOAD = (
    "this LM Studio cannot download over HTTP: that needs LM Studio 0.4 or later, or its lms tool on this machine"
)


@bp.post("/api/pull")
@bp.post("/shim/models/pull")
def pull_model() -> Response:
    """Download a model, unless LM Studio has it."""
    api_request = load_pull(request.get_data(cache=False))
    _, model = services().backends.split_name(api_request.model.strip())
    if not is_valid(model):
        raise BadRequest("invalid model name")
    name = CHAT_NAMING.check(api_request.model)
    target = _target(name)
    if target is None:
        services().manager.check_may_change()
    with ExitStack() as stack:
        stack.callback(services().pulls.take().release)
        if target:
            steps = already_pulled(target)
        else:
            pull = Pull(services(), name)
            steps = pull.steps(BackendCall(current().is_disconnected))
        stack.callback(steps.close)
        if api_request.stream:
            return stream_response(StreamedPull(steps, stack.pop_all()))
        return Response(_line(_run_to_end(steps)).rstrip(), mimetype="application/json")


def _target(name: str) -> ResolvedModel | None:
    """Return the model if LM Studio has it; raise NotSupported if it can't be downloaded either."""
    with suppress(BackendError):  # Ollama's clients expect this failure in the stream
        with suppress(ModelNotFound):  # an alias whose model was deleted: download it again
            if (target := services().registry.find(name)) is not None:
                return target
        backend, _ = services().backends.split_name(name)
        if not (backend or services().backends.first).client.can_manage():
            raise NotSupported(CANNOT_DOWNLOAD)
    return None


def _run_to_end(steps: Steps) -> dict[str, object]:
    """Return the last step."""
    last: dict[str, object] = {}
    try:
        for step in steps:
            last = step
    except BackendError as exc:
        raise ShimError(exc.text) from exc  # the status of every failed pull in Ollama is 500
    return last


def _line(step: dict[str, object]) -> bytes:
    return orjson.dumps(step) + b"\n"


class StreamedPull(StreamedAnswer):
    """The records of a pull; there is one at least every few seconds."""

    media_type = NDJSON
    has_heartbeats = False

    def __init__(self, steps: Steps, stack: ExitStack) -> None:
        """Take over ``stack``, which releases what the steps use."""
        self._steps = steps
        self._stack = stack

    def blocks(self, ticks: Ticks) -> Iterator[bytes]:  # noqa: ARG002
        """Yield a line for each step."""
        return map(_line, self._steps)

    def error(self, error: ShimError) -> bytes:
        """Return Ollama's error as a line."""
        return _line(ollama_error(error))

    def close(self) -> None:
        """Stop following the download."""
        self._stack.close()

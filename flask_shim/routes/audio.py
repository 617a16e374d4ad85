"""OpenAI's transcriptions and speech, which LM Studio does not offer over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.schemas.json_body import read_json

bp = Blueprint("audio", __name__)


@bp.post("/v1/audio/transcriptions")
def transcriptions() -> Response:
    """Check the form, the model and the file as Ollama does, then reject the request for every model."""
    if request.mimetype != "multipart/form-data":
        raise BadRequest("failed to parse multipart form: request Content-Type isn't multipart/form-data")
    if not request.form.get("model", ""):
        raise BadRequest("model is required")
    sound = request.files.get("file")
    if sound is None:
        raise BadRequest("file is required: http: no such file")
    if not sound.stream.read(1):
        raise BadRequest("audio file is empty")
    raise NotSupported("LM Studio does not transcribe audio over HTTP, so this server cannot either")


@bp.post("/v1/audio/speech")
def speech() -> Response:
    """Check the body and the model's name, then reject the request for every model."""
    _, body = read_json(request.get_data(cache=False), "openai.SpeechRequest", empty_text="EOF")
    if not body.get("model"):
        raise BadRequest("model is required")
    raise NotSupported("LM Studio does not turn text into speech over HTTP, so this server cannot either")

"""OpenAI's transcriptions: LM Studio has none over HTTP, which is said once it is clear that nothing else is wrong."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import NotSupported

bp = Blueprint("audio", __name__)


@bp.post("/v1/audio/transcriptions")
def transcriptions() -> Response:
    """Refuse, in Ollama's order: the form, the model, the file, and then the whole idea, whichever model is named."""
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

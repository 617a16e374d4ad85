"""Create, copy and delete aliases, which LM Studio does not have.

Requests that would change or need LM Studio's own files are rejected with the reason.
"""

from __future__ import annotations

import re
import time

import orjson
from flask import Blueprint, Response, request

from flask_shim.errors import BadRequest, ShimError
from flask_shim.lmstudio.errors import ModelNotFound, NotSupported
from flask_shim.models.registry import ResolvedModel
from flask_shim.schemas.ollama_requests import load_copy, load_create, load_delete, load_push
from flask_shim.services import services
from flask_shim.translate.answer.encoder import NDJSON
from flask_shim.translate.ollama.alias import Alias, alias_key, copied, created, is_alias_name, plain, progress
from flask_shim.translate.ollama.names import Source, find_model, is_valid, split_source
from flask_shim.translate.ollama.prompts import check_template, template_fault
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.ollama.requests import CreateRequest

bp = Blueprint("aliases", __name__)

_DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")

NO_FILES = "LM Studio takes no model files over HTTP: put them into its models folder, or use the models it has"
NO_ADAPTERS = "LM Studio applies no adapters"
NO_REMOTES = "LM Studio runs no models of other servers: leave out remote_host"
NO_QUANTIZING = "LM Studio does not quantize models: download the quantization that is wanted"
NO_DELETING = "LM Studio's own files can only be deleted in LM Studio"
NO_PUSHING = "LM Studio has no registry that models could be pushed to"


@bp.post("/api/create")
def create() -> Response:
    """Create an alias of a model, or of another alias, with its own settings."""
    services().manager.check_may_change()
    api_request = load_create(request.get_data(cache=False))
    _check_files(api_request)
    if not is_alias_name(api_request.model):
        raise BadRequest("invalid model name")
    _check_source(api_request)
    target = services().registry.find(split_source(api_request.from_)[0])
    if target is None:
        raise ShimError(f"model '{api_request.from_}' not found; pull it first", status=500)
    _check_hides_nothing(api_request.model, target)
    alias = created(api_request, _alias_of(target), time.time_ns())
    if fault := template_fault(alias.template):
        raise BadRequest(f"template error: {fault}", log_text="template error")
    check_template(alias.template)
    steps = list(progress(alias, target.model, services().aliases.aliases().values()))
    services().aliases.put(alias)
    if not api_request.stream:
        return Response(_line(steps[-1]).rstrip(), mimetype="application/json")
    return Response(map(_line, steps), mimetype=NDJSON)


@bp.post("/api/copy")
def copy() -> Response:
    """Create an alias of a model, or copy an alias."""
    services().manager.check_may_change()
    api_request = load_copy(request.get_data(cache=False))
    if not is_valid(api_request.source) or split_source(api_request.source)[1] is Source.CLOUD:
        raise BadRequest(f"source {go_quote(api_request.source)} is invalid")
    if not is_alias_name(api_request.destination):
        raise BadRequest(f"destination {go_quote(api_request.destination)} is invalid")
    target = services().registry.find(api_request.source)
    if target is None:
        raise ModelNotFound(f"model {go_quote(api_request.source)} not found")
    _check_hides_nothing(api_request.destination, target)
    source = _alias_of(target)
    if alias_key(api_request.destination) not in (alias_key(api_request.source), source.key):
        services().aliases.put(copied(source, api_request.destination, time.time_ns()))
    return _empty()


@bp.delete("/api/delete")
def delete() -> Response:
    """Delete an alias; a model that it hid is visible again."""
    services().manager.check_may_change()
    api_request = load_delete(request.get_data(cache=False))
    name, source = split_source(api_request.model)
    if not name:
        raise BadRequest("model is required")
    if not is_valid(name):
        raise BadRequest(f"name {go_quote(api_request.model)} is invalid")
    if source is Source.CLOUD or not services().aliases.delete(name):
        if source is not Source.CLOUD and services().registry.find(name) is not None:
            raise NotSupported(NO_DELETING)
        raise ModelNotFound(f"model '{api_request.model.strip()}' not found")
    return _empty()


@bp.post("/api/push")
def push() -> Response:
    """Reject the request with the reason."""
    if not load_push(request.get_data(cache=False)).model:
        raise BadRequest("model is required")
    raise NotSupported(NO_PUSHING)


@bp.route("/api/blobs/<digest>", methods=["HEAD", "POST"])
def blob(digest: str) -> Response:
    """Report that no blob exists; reject an upload without reading it."""
    if not _DIGEST.fullmatch(digest):
        raise BadRequest("invalid digest format")
    if request.method == "HEAD":
        raise ShimError(f"blob {go_quote(digest)} not found", status=404)
    raise NotSupported(NO_FILES)


def _check_files(api_request: CreateRequest) -> None:
    for path, digest in [*(api_request.files or {}).items(), *(api_request.draft_files or {}).items()]:
        if path != "." and any(part in ("", ".", "..") for part in path.split("/")):
            raise BadRequest("file path must be relative")
        if not digest:
            raise BadRequest("invalid digest format")
    if api_request.draft_quantize and not api_request.draft_files:
        raise BadRequest("--draft-quantize requires a DRAFT model")
    if not all((api_request.adapters or {}).values()):
        raise BadRequest("invalid digest format")


def _check_source(api_request: CreateRequest) -> None:
    """Reject a request without a source, and sources and changes that LM Studio does not support."""
    if not api_request.from_ and api_request.files is None:
        raise BadRequest("neither 'from' or 'files' was specified")
    if not api_request.from_ and not api_request.files:
        raise BadRequest("unknown type")
    if api_request.from_ and not is_valid(api_request.from_):
        raise BadRequest("invalid model name")
    if split_source(api_request.from_)[1] is Source.CLOUD:
        raise BadRequest(f"{api_request.from_} runs at ollama.com: choose a model of LM Studio")
    for part, text in (
        (api_request.remote_host, NO_REMOTES),
        (api_request.files, NO_FILES),
        (api_request.draft_files, NO_FILES),
        (api_request.adapters, NO_ADAPTERS),
        (api_request.quantize, NO_QUANTIZING),
    ):
        if part:
            raise NotSupported(text)


def _check_hides_nothing(name: str, target: ResolvedModel) -> None:
    """Reject a name by which LM Studio has another model: the alias would hide it."""
    owner = find_model(name, target.listing.models)
    if owner is not None and owner.model.key != target.model.key:
        raise BadRequest(f"{go_quote(name)} is LM Studio's name for {owner.model.key}: choose another name")


def _alias_of(target: ResolvedModel) -> Alias:
    return target.alias or plain(target.model, target.identifier, target.machine)


def _line(status: str) -> bytes:
    return orjson.dumps({"status": status}) + b"\n"


def _empty() -> Response:
    response = Response()
    del response.headers["Content-Type"]
    return response

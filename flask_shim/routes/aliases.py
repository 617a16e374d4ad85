"""Names of the user's own: made, copied and deleted here, for LM Studio has no such thing.

What would change LM Studio's own files, or needs them, is refused with the reason.
"""

from __future__ import annotations

import re
import time

import orjson
from flask import Blueprint, Response, request

from flask_shim.directory import Target
from flask_shim.errors import BadRequest, ModelNotFound, NotSupported, ShimError
from flask_shim.guards import check_may_change
from flask_shim.schemas import load_copy, load_create, load_delete, load_push
from flask_shim.services import services
from flask_shim.streams import NDJSON
from flask_shim.translate.aliases import Alias, alias_key, copied, created, is_alias_name, plain, progress
from flask_shim.translate.asks import CreateAsk
from flask_shim.translate.finding import locate
from flask_shim.translate.names import Source, is_valid, split_source
from flask_shim.translate.prompts import check_template, template_fault
from flask_shim.translate.quoting import go_quote

bp = Blueprint("aliases", __name__)

_DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")

NO_FILES = "LM Studio takes no model files over HTTP: put them into its models folder, or use the models it has"
NO_ADAPTERS = "LM Studio applies no adapters"
NO_QUANTIZING = "LM Studio does not quantize models: download the quantization that is wanted"
NO_DELETING = "LM Studio's own files can only be deleted in LM Studio"
NO_PUSHING = "LM Studio has no registry that models could be pushed to"


@bp.post("/api/create")
def create() -> Response:
    """Make a name from a model, or from another such name, with settings of its own."""
    check_may_change(services().config)
    ask = load_create(request.get_data(cache=False))
    _check_files(ask)
    if not is_alias_name(ask.model):
        raise BadRequest("invalid model name")
    _check_source(ask)
    target = _source(ask.from_)
    _check_hides_nothing(ask.model, target)
    alias = created(ask, _alias_of(target), time.time_ns())
    _check_template(alias.template)
    steps = list(progress(alias, target.model, services().aliases.aliases().values()))
    services().aliases.put(alias)
    if not ask.stream:
        return Response(_line(steps[-1]).rstrip(), mimetype="application/json")
    return Response(map(_line, steps), mimetype=NDJSON)


@bp.post("/api/copy")
def copy() -> Response:
    """Give a model, or a name made here, another name."""
    check_may_change(services().config)
    ask = load_copy(request.get_data(cache=False))
    if not is_valid(ask.source):
        raise BadRequest(f"source {go_quote(ask.source)} is invalid")
    if not is_alias_name(ask.destination):
        raise BadRequest(f"destination {go_quote(ask.destination)} is invalid")
    target = services().directory.find(ask.source)
    if target is None:
        raise ModelNotFound(f"model {go_quote(ask.source)} not found")
    _check_hides_nothing(ask.destination, target)
    source = _alias_of(target)
    if alias_key(ask.destination) not in (alias_key(ask.source), source.key):
        services().aliases.put(copied(source, ask.destination, time.time_ns()))
    return _empty()


@bp.delete("/api/delete")
def delete() -> Response:
    """Delete a name made here; a model that it hid is there again."""
    check_may_change(services().config)
    ask = load_delete(request.get_data(cache=False))
    name, source = split_source(ask.model)
    if not name:
        raise BadRequest("model is required")
    if not is_valid(name):
        raise BadRequest(f"name {go_quote(ask.model)} is invalid")
    if source is Source.CLOUD or not services().aliases.delete(name):
        raise _undeletable(ask.model, name, source)
    return _empty()


@bp.post("/api/push")
def push() -> Response:
    """Refuse, with the reason."""
    if not load_push(request.get_data(cache=False)).model:
        raise BadRequest("model is required")
    raise NotSupported(NO_PUSHING)


@bp.route("/api/blobs/<digest>", methods=["HEAD", "POST"])
def blob(digest: str) -> Response:
    """Say that no such file is here; one that is sent is refused, and never read."""
    if not _DIGEST.fullmatch(digest):
        raise BadRequest("invalid digest format")
    if request.method == "HEAD":
        raise ShimError(f"blob {go_quote(digest)} not found", status=404)
    raise NotSupported(NO_FILES)


def _check_files(ask: CreateAsk) -> None:
    for path, digest in (ask.files or {}).items():
        if path != "." and any(part in ("", ".", "..") for part in path.split("/")):
            raise BadRequest("file path must be relative")
        if not digest:
            raise BadRequest("invalid digest format")


def _check_source(ask: CreateAsk) -> None:
    """Refuse what names no source, and the sources and changes that LM Studio has no way for."""
    if not ask.from_ and ask.files is None:
        raise BadRequest("neither 'from' or 'files' was specified")
    if not ask.from_ and not ask.files:
        raise BadRequest("unknown type")
    if ask.from_ and not is_valid(ask.from_):
        raise BadRequest("invalid model name")
    for part, text in ((ask.files, NO_FILES), (ask.adapters, NO_ADAPTERS), (ask.quantize, NO_QUANTIZING)):
        if part:
            raise NotSupported(text)


def _check_template(template: str) -> None:
    if fault := template_fault(template):
        raise BadRequest(f"template error: {fault}", own_words="template error")
    check_template(template)


def _source(name: str) -> Target:
    target = services().directory.find(name)
    if target is None:
        raise ShimError(f"model '{name}' not found; pull it first", status=500)
    return target


def _check_hides_nothing(name: str, target: Target) -> None:
    """Refuse a name by which LM Studio has another model than that of ``target``: nobody would get it any more."""
    owner = locate(name, target.listing.models)
    if owner is not None and owner.model.key != target.model.key:
        raise BadRequest(f"{go_quote(name)} is LM Studio's name for {owner.model.key}: choose another name")


def _alias_of(target: Target) -> Alias:
    return target.alias or plain(target.model, target.identifier)


def _undeletable(asked: str, name: str, source: Source) -> ShimError:
    if source is not Source.CLOUD and services().directory.find(name) is not None:
        return NotSupported(NO_DELETING)
    return ModelNotFound(f"model '{asked.strip()}' not found")


def _line(status: str) -> bytes:
    return orjson.dumps({"status": status}) + b"\n"


def _empty() -> Response:
    response = Response()
    del response.headers["Content-Type"]
    return response

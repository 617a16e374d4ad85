"""``flask-shim explain``: what a recorded request would become on its way to LM Studio, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson

from flask_shim.app import create_app
from flask_shim.backend import client_options
from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.cli.setting_options import CommandError, backend_options, errors_as_text, read_config
from flask_shim.config import Config
from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, LMStudio, Model
from flask_shim.lmstudio.client import EMBEDDINGS
from flask_shim.lmstudio.http.response import BackendResponse
from flask_shim.services import services_of

Request = Mapping[str, Any]

_LEFT_OUT = frozenset({"host", "content-length", "content-encoding", "transfer-encoding", "origin", "connection"})
"""Headers that belong to the connection on which the request was recorded."""


class NotSent(ShimError):
    """The request ends here instead of at LM Studio."""


class RehearsingLMStudio(LMStudio):
    """A client that reads LM Studio's model lists, and notes everything else instead of sending it."""

    loads: list[dict[str, Any]]
    """The settings of each load."""

    def load(
        self,
        key: str,
        *,
        context_length: int | None = None,
        call: BackendCall | None = None,  # noqa: ARG002  the parameters are those of the base class
        **settings: Any,
    ) -> dict[str, Any]:
        """Note a load."""
        context = {"context_length": context_length} if context_length else {}
        self.loads.append({"model": key, **context, **settings})
        return {}

    def unload(self, model: Model | str, *, call: BackendCall | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Unload nothing."""
        return ()

    def load_just_in_time(self, model: Model, call: BackendCall, *, ttl: int | None = None) -> None:
        """Load nothing."""

    def embed(self, payload: Mapping[str, Any], call: BackendCall | None = None) -> dict[str, Any]:
        """Note the request."""
        self.open("POST", EMBEDDINGS, call or BackendCall(), orjson.dumps(payload))
        return {}

    def open(
        self,
        method: str,
        path: str,
        call: BackendCall,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BackendResponse:
        """Send a GET; note any other request and raise NotSent."""
        if method == "GET":
            return super().open(method, path, call, body, headers)
        if call.trace is not None:
            call.trace.sent(method, path, body)
        raise NotSent("not sent")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@backend_options
def explain(*, file: Path, **options: str | None) -> None:
    """Show what LM Studio would get for a recorded request, and why.

    FILE is JSON: an exchange that the page at /shim/ has downloaded, or an object with path, body and, optionally,
    method and headers. Only LM Studio's list of models is read; nothing is loaded or generated.
    """
    request = read_request(file)
    with errors_as_text():
        config = follow_running_shim(read_config(**options))
        for line in explain_request(request, config):
            click.echo(line)


def read_request(file: Path) -> Request:
    """Return the recorded request; raise CommandError if the file has none."""
    try:
        recorded = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise CommandError(f"{file} can't be read as JSON: {exc}") from exc
    client = recorded.get("client") if isinstance(recorded, dict) else None
    request = client.get("request") if isinstance(client, dict) else recorded
    if not isinstance(request, dict) or not isinstance(request.get("path"), str) or "body" not in request:
        raise CommandError(f"{file} is no recorded request: it needs an object with path and body.")
    return request


def explain_request(request: Request, config: Config) -> Iterator[str]:
    """Yield the lines that explain it."""
    # The recorded request has no key any more, and nothing of it shall be counted.
    config = replace(config, api_keys=(), allow_open=True, inspect=1, history_days=0, metrics=False)
    backend = RehearsingLMStudio(client_options(config))
    backend.loads = []
    app = create_app(config, backend)
    try:
        client = app.test_client()
        headers = {name: text for name, text in (request.get("headers") or {}).items() if name.lower() not in _LEFT_OUT}
        method = request.get("method") or "POST"
        answer = client.open(request["path"], method=method, json=request["body"], headers=headers)
        report = client.get(f"/shim/exchanges/{answer.headers['X-Request-ID']}").get_json()
    finally:
        services_of(app).close()
    for load in backend.loads:
        yield f"Loads the model first: {json.dumps(load, ensure_ascii=False)}"
    if not report["backend"]:
        yield f"LM Studio gets nothing. The client gets status {answer.status_code}:"
        yield answer.get_data(as_text=True).strip()
        return
    sent = report["backend"][-1]["request"]
    yield f"LM Studio gets {sent['method']} {sent['path']}:"
    yield json.dumps(sent["body"], indent=2, ensure_ascii=False)
    yield ""
    yield "Changes:" if report["changes"] else "Nothing is changed."
    for change in report["changes"]:
        yield f"  {change['field']}: {change['change']} ({change['reason']})"

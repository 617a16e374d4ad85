"""``flask-shim explain``: which machine answers, and what a recorded request becomes on its way to LM Studio."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem
from werkzeug.datastructures import Headers

from flask_shim.app import create_app
from flask_shim.cli.cli_context import complete_names, open_services, resolve_name
from flask_shim.cli.machine_choice import count_running, explain_machines
from flask_shim.cli.rehearsal import RehearsingLMStudio, RehearsingWaker
from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.cli.setting_options import CommandError, backend_options, errors_as_text, read_config
from flask_shim.config import Config
from flask_shim.config.parsers import is_file
from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import BackendError
from flask_shim.models.alias_store import FILE_NAME
from flask_shim.models.waking import never_seen
from flask_shim.routes.passthrough import BACKEND_HEADER
from flask_shim.services import Services, services_of

_LEFT_OUT = frozenset({"host", "content-length", "content-encoding", "transfer-encoding", "origin", "connection"})
"""Headers that belong to the connection on which the request was recorded."""


class Recorded(NamedTuple):
    """A recorded request; it has no key any more."""

    method: str
    path: str
    headers: Headers
    body: Any


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = [CompletionItem(name) for name in complete_names(context, parameter, incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("subject", metavar="FILE|MODEL", shell_complete=_complete)
@backend_options
def explain(*, subject: str, **options: str | None) -> None:
    """Show which LM Studio answers for a model, or what becomes of a recorded request.

    FILE is JSON: an exchange that the page at /shim/ has downloaded, or an object with path, body and, optionally,
    method and headers. Only lists of models are read; nothing is loaded, woken, generated or changed.
    """
    file = Path(subject)
    if is_file(file):
        recorded = read_request(file)
        with errors_as_text():
            config = follow_running_shim(read_config(**options))
            for line in explain_request(recorded, config, options):
                click.echo(line)
        return
    if file.suffix == ".json" or os.path.isdir(subject):  # noqa: PTH112 - pathlib raises for what can't be a path
        raise click.BadParameter(f"There is no file {subject!r}.", param_hint="FILE|MODEL")
    with open_services(options) as services:
        for line in explain_model(services, subject, options):
            click.echo(line)


def explain_model(services: Services, name: str, options: dict[str, str | None]) -> Iterator[str]:
    """Yield the lines that explain which LM Studio answers for a model."""
    backends = services.backends
    if asleep := [backend.name for backend in never_seen(backends, name)]:
        services.registry.find(name)  # waits for their first lists
        asleep = [backend.name for backend in never_seen(backends, name)]
    try:
        target = resolve_name(services, name)
    except (BackendError, CommandError):
        if not asleep:
            raise
        yield f"No machine that answers has {name}. A request wakes {', '.join(asleep)} to find out."
        return
    if len(backends) == 1:
        yield f"LM Studio at {backends.first.client.options.base_url} answers for {target.entry.name}."
        return
    if not count_running(backends, options):
        yield "No shim runs here, so this is what a shim without other requests does."
    yield from explain_machines(backends, target)


def read_request(file: Path) -> Recorded:
    """Return the request in a file; raise CommandError if it has none."""
    try:
        recorded = json.loads(file.read_bytes())  # which finds the encoding: PowerShell 5 writes UTF-16
    except (OSError, ValueError) as exc:
        raise CommandError(f"{file} can't be read as JSON: {exc}") from exc
    client = recorded.get("client") if isinstance(recorded, dict) else None
    request = client.get("request") if isinstance(client, dict) else recorded
    if not isinstance(request, dict) or not isinstance(request.get("path"), str) or "body" not in request:
        raise CommandError(f"{file} is not a recorded request: it needs an object with path and body.")
    method, headers = request.get("method") or "POST", request.get("headers") or {}
    if not isinstance(method, str) or not isinstance(headers, dict):
        raise CommandError(f"{file} is not a recorded request: method has to be a text, and headers an object.")
    try:
        kept = Headers({name: str(text) for name, text in headers.items() if name.lower() not in _LEFT_OUT})
    except ValueError as exc:  # a line end
        raise CommandError(f"{file} is not a recorded request: {exc}") from exc
    return Recorded(method, request["path"], kept, request["body"])


def explain_request(recorded: Recorded, config: Config, options: dict[str, str | None]) -> Iterator[str]:
    """Yield the lines that explain it."""
    with TemporaryDirectory(prefix="flask-shim-", ignore_cleanup_errors=True) as folder:
        with suppress(OSError):  # there are no aliases
            shutil.copy(config.data_dir / FILE_NAME, folder)
        # No key is left in the recorded request, and nothing of it may be kept.
        config = replace(config, api_keys=(), allow_open=True, inspect=1, history_days=0, metrics=False)
        yield from _rehearse(recorded, replace(config, data_dir=Path(folder)), options)


def _rehearse(recorded: Recorded, config: Config, options: dict[str, str | None]) -> Iterator[str]:
    app = create_app(config)
    services, loads, wakes, unsent = services_of(app), list[str](), list[str](), list[str]()
    for backend in services.backends:
        backend.client = backend.loader.backend = RehearsingLMStudio(backend, loads, unsent)
        backend.waker = backend.waker and RehearsingWaker(backend, wakes)
    if len(services.backends) > 1:
        count_running(services.backends, options)
    try:
        client = app.test_client()
        # Buffered: the answer is complete, and a list that was read is no longer an exchange.
        answer = client.open(
            recorded.path, method=recorded.method, json=recorded.body, headers=recorded.headers, buffered=True
        )
        exchange = client.get(f"/shim/exchanges/{answer.headers['X-Request-ID']}")
        if exchange.status_code == 404:
            raise CommandError(f"Nothing to explain: the shim itself answers {recorded.method} {recorded.path}.")
        if len(services.backends) > 1 and not wakes:
            yield from _machines(services, recorded)
    finally:
        services.close()
    report = exchange.get_json()
    if wakes:
        yield from wakes
    elif report["backend"]:
        yield from loads
        yield from _compare(report)
    elif unsent:
        yield from (*unsent, *loads)
    else:
        yield from loads
        yield f"LM Studio gets nothing{' else' if loads else ''}. The client gets status {answer.status_code}:"
        yield answer.get_data(as_text=True).strip()


def _compare(report: dict[str, Any]) -> Iterator[str]:
    """Yield what LM Studio gets, and how it differs from what the client sent."""
    sent = report["backend"][-1]["request"]
    yield f"LM Studio gets {sent['method']} {sent['path']}:"
    yield json.dumps(sent["body"], indent=2, ensure_ascii=False)
    yield ""
    yield "Changes:" if report["changes"] else "Nothing is changed."
    for change in report["changes"]:
        yield f"  {change['field']}: {change['change']} ({change['reason']})"


def _machines(services: Services, recorded: Recorded) -> Iterator[str]:
    """Yield which LM Studio gets the request, and why."""
    if named := recorded.headers.get(BACKEND_HEADER):
        yield f"{named} answers: the request names it in {BACKEND_HEADER}."
        return
    with suppress(ShimError):  # the client gets it as an error
        body = recorded.body
        target = services.registry.find(str(body.get("model"))) if isinstance(body, dict) else None
        if target is not None:
            yield from explain_machines(services.backends, target)
            yield ""

"""``flask-shim explain``: which machine answers, and what a recorded request becomes on its way to LM Studio."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from werkzeug.datastructures import Headers

from flask_shim.app import create_app
from flask_shim.cli.cli_context import complete_names, open_services, resolve_name
from flask_shim.cli.machine_choice import count_running, explain_machines
from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.cli.setting_options import CommandError, backend_options, errors_as_text, read_config
from flask_shim.config import Config
from flask_shim.config.parsers import is_file
from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio, Model
from flask_shim.lmstudio.errors import BackendError, BackendUnavailable
from flask_shim.lmstudio.http.session import BackendAdapter, build_session
from flask_shim.lmstudio.wake import Waker
from flask_shim.models.backends import Backend
from flask_shim.models.waking import never_seen
from flask_shim.routes.passthrough import BACKEND_HEADER
from flask_shim.services import Services, services_of

Request = Mapping[str, Any]

_LEFT_OUT = frozenset({"host", "content-length", "content-encoding", "transfer-encoding", "origin", "connection"})
"""Headers that belong to the connection on which the request was recorded."""


class NotSent(ShimError):
    """The request ends here instead of at LM Studio."""


class ReadingAdapter(BackendAdapter):
    """An adapter that sends GET requests only."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a GET; raise NotSent for any other request, which is in the trace of its call by now."""
        if request.method != "GET":
            raise NotSent("not sent")
        return super().send(request, *args, **kwargs)


def _build_session(options: ClientOptions) -> Any:
    session, adapter = build_session(options), ReadingAdapter()
    for prefix in [*session.adapters]:
        session.mount(prefix, adapter)
    return session


class RehearsingLMStudio(LMStudio):
    """A client that reads LM Studio's model lists and sends nothing else."""

    def __init__(self, backend: Backend, loads: list[str]) -> None:
        """Stand in for a client of ``backend``; ``loads`` gets a line for each load."""
        super().__init__(backend.client.options, _build_session, watchdog=backend.client.watchdog)
        self._place = f" on {backend.name}" if backend.name else ""
        self._loads = loads

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
        load = json.dumps({"model": key, **context, **settings}, ensure_ascii=False)
        self._loads.append(f"Loads the model first{self._place}: {load}")
        return {}

    def unload(self, model: Model | str, *, call: BackendCall | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Unload nothing."""
        return ()

    def load_just_in_time(self, model: Model, call: BackendCall, *, ttl: int | None = None) -> None:
        """Load nothing."""


class RehearsingWaker(Waker):
    """Notes that a machine would be woken, and does not wake it."""

    def __init__(self, backend: Backend, wakes: list[str]) -> None:
        """Stand in for the waker of ``backend``; ``wakes`` gets a line."""
        super().__init__("", "")
        self._name, self._wakes = backend.name, wakes

    def wake(self, call: BackendCall) -> bool:  # noqa: ARG002  the base class has it
        """Note the attempt; raise BackendUnavailable."""
        self._wakes.append(f"Wakes {self._name} first, and waits until it answers. What follows is not known before.")
        raise BackendUnavailable(f"{self._name} sleeps")


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = [CompletionItem(name) for name in complete_names(context, parameter, incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("subject", metavar="FILE|MODEL", shell_complete=_complete)
@backend_options
def explain(*, subject: str, **options: str | None) -> None:
    """Show which LM Studio answers for a model, or what becomes of a recorded request.

    FILE is JSON: an exchange that the page at /shim/ has downloaded, or an object with path, body and, optionally,
    method and headers. Only LM Studio's lists of models are read; nothing is loaded, woken or generated.
    """
    file = Path(subject)
    if is_file(file):
        request = read_request(file)
        with errors_as_text():
            config = follow_running_shim(read_config(**options))
            for line in explain_request(request, config, options):
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


def read_request(file: Path) -> Request:
    """Return the recorded request; raise CommandError if the file has none."""
    try:
        recorded = json.loads(file.read_bytes())  # which finds the encoding: PowerShell 5 writes UTF-16
    except (OSError, ValueError) as exc:
        raise CommandError(f"{file} can't be read as JSON: {exc}") from exc
    client = recorded.get("client") if isinstance(recorded, dict) else None
    request = client.get("request") if isinstance(client, dict) else recorded
    if not isinstance(request, dict) or not isinstance(request.get("path"), str) or "body" not in request:
        raise CommandError(f"{file} is no recorded request: it needs an object with path and body.")
    return request


def explain_request(request: Request, config: Config, options: dict[str, str | None]) -> Iterator[str]:
    """Yield the lines that explain it."""
    # The recorded request has no key any more, and nothing of it shall be counted.
    config = replace(config, api_keys=(), allow_open=True, inspect=1, history_days=0, metrics=False)
    app = create_app(config)
    services, loads, wakes = services_of(app), list[str](), list[str]()
    for backend in services.backends:
        backend.client = backend.loader.backend = RehearsingLMStudio(backend, loads)
        backend.waker = backend.waker and RehearsingWaker(backend, wakes)
    if len(services.backends) > 1:
        count_running(services.backends, options)
    try:
        client = app.test_client()
        headers = {name: text for name, text in (request.get("headers") or {}).items() if name.lower() not in _LEFT_OUT}
        method = request.get("method") or "POST"
        answer = client.open(request["path"], method=method, json=request["body"], headers=headers)
        report = client.get(f"/shim/exchanges/{answer.headers['X-Request-ID']}").get_json()
        if len(services.backends) > 1 and not wakes:
            yield from _machines(services, request["body"], headers)
    finally:
        services.close()
    yield from wakes or loads
    if wakes:
        return
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


def _machines(services: Services, body: Any, headers: Mapping[str, str]) -> Iterator[str]:
    """Yield which LM Studio gets the request, and why."""
    if named := Headers(headers).get(BACKEND_HEADER):
        yield f"{named} answers: the request names it in {BACKEND_HEADER}."
        return
    with suppress(ShimError):  # the client gets it as an error
        target = services.registry.find(str(body.get("model"))) if isinstance(body, dict) else None
        if target is not None:
            yield from explain_machines(services.backends, target)
            yield ""

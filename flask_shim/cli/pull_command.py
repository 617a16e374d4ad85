"""``flask-shim pull``, ``ensure`` and ``rm``: have LM Studio download models, and delete names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import click

from flask_shim.cli.cli_context import complete_names, open_services, resolve_name, spinner
from flask_shim.cli.progress import Show, show_progress
from flask_shim.cli.setting_options import CommandError, backend_options
from flask_shim.inference.pull_progress import Pull
from flask_shim.lmstudio import BackendCall, Readiness, ensure_ready
from flask_shim.lmstudio.errors import ModelNotFound
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import Services
from flask_shim.translate.ollama.pull_records import to_pull_target

DOWNLOAD_CONTINUES = "LM Studio continues the download. Run the same command to see its progress again."

quantization_option = click.option(
    "--quantization", metavar="Q", help="Quantization, such as Q4_K_M; the same as MODEL:Q."
)


@click.command()
@click.argument("name", metavar="MODEL")
@quantization_option
@backend_options
def pull(*, name: str, quantization: str | None, **options: str | None) -> None:
    """Have LM Studio download a model.

    MODEL is publisher/name, or hf.co/user/repository:Q4_K_M; of several LM Studios the one of the highest priority
    downloads it, or with NAME/MODEL another one. Ctrl-C ends this command, not the download.
    """
    name = f"{name}:{quantization}" if quantization else name
    with open_services(options) as services:
        target = _find_target(services, name)
        if target is not None:
            click.echo(f"{target.entry.name} is already downloaded.")
            return
        _watch(services, name)
        target = _find_target(services, name)
        click.echo(f"Downloaded {target.entry.name if target else name}.")


@click.command()
@click.argument("name", metavar="[MODEL]", required=False, shell_complete=complete_names)
@quantization_option
@click.option("--no-preload", is_flag=True, help="Only download.")
@backend_options
def ensure(*, name: str | None, quantization: str | None, no_preload: bool, **options: str | None) -> None:
    """Download a model if needed, and load it.

    Without MODEL: that of SHIM_ENSURE_MODEL. A problem that does not prevent requests to the model is only a warning.
    """
    with open_services(options) as services:
        name = name or services.config.ensure_model
        name = f"{name}:{quantization}" if quantization else name
        ready = _make_ready(services, name, wants_preload=not no_preload)
        for warning in ready.warnings:
            click.echo(f"Warning: {warning}", err=True)
        if ready.was_downloaded:
            click.echo(f"Downloaded {name}.")
        if ready.preload is not None:
            with spinner(f"Loading {ready.key}"):
                ready.preload.wait()
            if ready.preload.failure is not None:
                click.echo(f"Warning: {ready.key} is not loaded: {ready.preload.failure.text}", err=True)
        is_loaded = ready.is_loaded or (ready.preload is not None and ready.preload.failure is None)
        if not ready.warnings:
            click.echo(f"{ready.key} is ready{' and loaded' if is_loaded else ''}.")


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_names)
@backend_options
def rm(*, names: tuple[str, ...], **options: str | None) -> None:
    """Delete names that were made with copy or create.

    LM Studio's own models can only be deleted in LM Studio.
    """
    with open_services(options) as services:
        for name in names:
            if not services.aliases.delete(name):
                found = resolve_name(services, name).entry.name
                raise CommandError(f"{found} is a model of LM Studio. Delete it in LM Studio (My Models).")
            click.echo(f"Deleted {name}.")


def _find_target(services: Services, name: str) -> ResolvedModel | None:
    with suppress(ModelNotFound):  # an alias whose model was deleted: download the model again
        return services.registry.find(name)
    return None


def _watch(services: Services, name: str) -> None:
    pull = Pull(services, name)
    with _show_until_interrupted(name) as show, closing(pull.steps(BackendCall())) as steps:
        for step in steps:
            if "digest" in step:
                show(step.get("completed"), step.get("total"))


def _make_ready(services: Services, name: str, *, wants_preload: bool) -> Readiness:
    target = _find_target(services, name)
    if target is not None:
        return ensure_ready(target.backend.client, target.model.key, preload=wants_preload)
    backend, model = services.backends.split_name(name)
    wanted = to_pull_target(model)
    with _show_until_interrupted(name) as show:
        return ensure_ready(
            (backend or services.backends.first).client,
            wanted.model,
            quantization=wanted.quantization,
            preload=wants_preload,
            on_progress=lambda state: show(state.done_bytes, state.total_bytes),
        )


@contextmanager
def _show_until_interrupted(name: str) -> Iterator[Show]:
    try:
        with show_progress(name) as show:
            yield show
    except KeyboardInterrupt:
        click.echo(DOWNLOAD_CONTINUES, err=True)
        raise

"""``flask-shim load``, ``unload`` and ``preload``: which models are in memory."""

from __future__ import annotations

import click

from flask_shim.cli.cli_context import busy, open_services, resolve_name
from flask_shim.cli.setting_options import BAD_SETTINGS, Refusal, backend_options
from flask_shim.errors import ShimError
from flask_shim.inference.preload import Preloader
from flask_shim.lmstudio import BackendCall, Model
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import Services
from flask_shim.translate.ollama.alias_defaults import context_of


@click.command()
@click.argument("name", metavar="MODEL")
@click.option("--context", type=click.IntRange(1), metavar="N", help="Context length in tokens, at least.")
@click.option("--exclusive", is_flag=True, help="Unload all other models before.")
@backend_options
def load(*, name: str, context: int | None, exclusive: bool, **options: str | None) -> None:
    """Load a model; it stays until it is unloaded.

    What is loaded already with enough context is left as it is.
    """
    with open_services(options) as services:
        target = resolve_name(services, name)
        if exclusive:
            for model in services.backend.listing(max_age=0).loaded():
                if model.key != target.model.key:
                    _unload(services, model)
        length = context or context_of(target.entry) or services.config.default_context
        with busy(f"Loading {target.entry.name}"), services.backend.watchdog.watch(BackendCall()) as call:
            services.manager.load_pinned(target, call, context=length, must_fit=True)
        click.echo(f"{target.entry.name} is loaded{_context(services, target)}.")


@click.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@click.option("--all", "wants_all", is_flag=True, help="Unload everything.")
@backend_options
def unload(*, names: tuple[str, ...], wants_all: bool, **options: str | None) -> None:
    """Unload models, or everything.

    A copy that ps shows is unloaded by its own name, all copies of a model by the model's.
    """
    if bool(names) == wants_all:
        raise click.UsageError("Name the models to unload, or say --all: one of the two.")
    with open_services(options) as services:
        if wants_all:
            loaded = services.backend.listing(max_age=0).loaded()
            for model in loaded:
                _unload(services, model)
            if not loaded:
                click.echo("Nothing was loaded.")
        for name in names:
            target = resolve_name(services, name)
            is_copy = target.identifier in [copy.id for copy in target.model.instances]
            _unload(services, target.model, target.identifier if is_copy else "")


@click.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@backend_options
def preload(*, names: tuple[str, ...], **options: str | None) -> None:
    """Load the models that are named, else those of SHIM_PRELOAD.

    "serve" loads those of SHIM_PRELOAD by itself when it starts.
    """
    failed = False
    with open_services(options) as services:
        wanted = names or services.config.preload
        if not wanted:
            raise Refusal("Nothing to load: name models, or set SHIM_PRELOAD.", BAD_SETTINGS)
        services.backend.listing()  # without LM Studio there is one text and not one for each model
        preloader = Preloader(services.config, services.registry, services.manager)
        for name in wanted:
            try:
                with busy(f"Loading {name}"):
                    preloader.load(name, BackendCall())
                click.echo(f"{name} is loaded.")
            except ShimError as exc:
                failed = True
                click.echo(f"{name} is not loaded: {exc.text}", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def _unload(services: Services, model: Model, instance: str = "") -> None:
    name = instance or model.key
    with busy(f"Unloading {name}"), services.backend.watchdog.watch(BackendCall()) as call:
        copies = services.manager.unload(model, call, instance=instance)
    click.echo(f"{name} was not loaded." if not copies else f"Unloaded {', '.join(copies)}.")


def _context(services: Services, target: ResolvedModel) -> str:
    models = services.backend.listing(max_age=0).models
    length = next((model.loaded_context_length for model in models if model.key == target.model.key), None)
    return f", with a context of {length} tokens" if length else ""

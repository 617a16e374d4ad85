"""``flask-shim load``, ``unload`` and ``preload``."""

from __future__ import annotations

import click

from flask_shim.cli.cli_context import complete_names, open_services, resolve_name, spinner
from flask_shim.cli.setting_options import BAD_SETTINGS, FAILED, CommandError, backend_options
from flask_shim.errors import ShimError
from flask_shim.inference.preload import Preloader
from flask_shim.lmstudio import BackendCall
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import Services
from flask_shim.translate.ollama.alias_defaults import context_of


@click.command()
@click.argument("name", metavar="MODEL", shell_complete=complete_names)
@click.option("--context", type=click.IntRange(1), metavar="N", help="Least context length in tokens.")
@click.option("--exclusive", is_flag=True, help="Unload all other models there first.")
@backend_options
def load(*, name: str, context: int | None, exclusive: bool, **options: str | None) -> None:
    """Load a model until it is unloaded.

    A model that is loaded with enough context is not loaded again.
    """
    with open_services(options) as services:
        target = resolve_name(services, name, may_wake=True)
        if exclusive:
            listing = services.backends.listing(max_age=0)
            for model in target.backend.client.listing().loaded():
                if model.key != target.model.key:
                    _unload(services, services.registry.of(model, listing).at(target.backend))
        length = context or context_of(target.entry) or services.config.default_context
        with spinner(f"Loading {target.entry.name}"), services.backends.watchdog.watch(BackendCall()) as call:
            services.manager.load_pinned(target, call, context=length, must_fit=True)
        loaded = target.backend.client.listing(max_age=0).models
        granted = next((model.loaded_context_length for model in loaded if model.key == target.model.key), None)
        context_text = f", with a context of {granted} tokens" if granted else ""
        place = f" on {target.backend.name}" if target.backend.name else ""
        click.echo(f"{target.entry.name} is loaded{place}{context_text}.")


@click.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1, shell_complete=complete_names)
@click.option("--all", "wants_all", is_flag=True, help="Unload all models.")
@backend_options
def unload(*, names: tuple[str, ...], wants_all: bool, **options: str | None) -> None:
    """Unload models, or all with --all.

    The name of a model unloads all its instances, the name of an instance (see "ps") only that one.
    """
    if bool(names) == wants_all:
        raise click.UsageError("Either name the models to unload, or use --all.")
    with open_services(options) as services:
        if wants_all:
            listing = services.backends.listing(max_age=0)
            loaded = listing.loaded()
            for model in loaded:
                _unload(services, services.registry.of(model, listing))
            if not loaded:
                click.echo("No model was loaded.")
        for name in names:
            target = resolve_name(services, name)
            is_copy = target.identifier in [copy.id for copy in target.model.instances]
            _unload(services, target, target.identifier if is_copy else "")


@click.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1, shell_complete=complete_names)
@backend_options
def preload(*, names: tuple[str, ...], **options: str | None) -> None:
    """Load the models of SHIM_PRELOAD, or others.

    "serve" loads the models of SHIM_PRELOAD when it starts.
    """
    failed = False
    with open_services(options) as services:
        wanted = names or services.config.preload
        if not wanted:
            raise CommandError("No model to load: name models, or set SHIM_PRELOAD.", BAD_SETTINGS)
        services.backends.listing()  # fails here once if LM Studio is away, and not for each model
        preloader = Preloader(services)
        for name in wanted:
            try:
                with spinner(f"Loading {name}"):
                    preloader.load(name, BackendCall())
                click.echo(f"{name} is loaded.")
            except ShimError as exc:
                failed = True
                click.echo(f"{name} is not loaded: {exc.text}", err=True)
    if failed:
        raise click.exceptions.Exit(FAILED)


def _unload(services: Services, target: ResolvedModel, instance: str = "") -> None:
    name = instance or target.model.key
    with spinner(f"Unloading {name}"), services.backends.watchdog.watch(BackendCall()) as call:
        copies = services.manager.unload(target, call, instance=instance)
    click.echo(f"{name} was not loaded." if not copies else f"Unloaded {', '.join(copies)}.")

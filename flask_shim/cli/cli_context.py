"""What the commands about models use: the shim's services without its server, and names as clients write them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.cli.setting_options import CommandError, errors_as_text, read_config
from flask_shim.lmstudio import BackendCall
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.waking import never_seen
from flask_shim.services import Services

ASCII_SPINNER = "line"
"""The other spinners of rich need letters that old Windows consoles lack."""

QUICK_SECONDS = 2.0
"""How long to wait for LM Studio's list of models where an answer is possible without it, as in completion."""


@contextmanager
def open_services(options: dict[str, str | None], **changes: Any) -> Iterator[Services]:
    """Build the services from the settings, with ``changes``; within the block, errors become texts."""
    with errors_as_text():
        services = Services.build(replace(follow_running_shim(read_config(**options)), **changes))
        try:
            yield services
        finally:
            services.close()


def resolve_name(services: Services, name: str, *, may_wake: bool = False) -> ResolvedModel:
    """Return the model of that name; for an unknown name, raise CommandError with similar ones.

    With ``may_wake``, machines that may have it are woken.
    """
    registry = services.registry
    if may_wake and never_seen(services.backends, name):
        with spinner("Looking for it on all machines"):
            target = registry.find_or_wake(name, BackendCall())
    else:
        target = registry.find(name)
    if target is not None:
        return target
    names = [entry.name for entry in services.registry.entries(services.backends.listing())]
    similar = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(similar)}?" if similar else "flask-shim models lists the models."
    raise CommandError(f"LM Studio has no model {name!r}. {advice}")


def complete_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names that a shell may complete: of ``rm`` the aliases, of ``unload`` the loaded models.

    The tag ``:latest`` is left out, as bash splits words at colons.
    """
    options = {name: context.params.get(name) for name in ("env_file", "lmstudio_url")}
    try:
        with open_services(options, connect_timeout=QUICK_SECONDS, list_timeout=QUICK_SECONDS) as services:
            if context.command.name == "rm":
                names = [alias.name for alias in services.aliases.aliases().values()]
            else:
                only_loaded = context.command.name == "unload"
                entries = services.registry.entries(services.backends.listing())
                names = [entry.name for entry in entries if entry.model.is_loaded or not only_loaded]
    except CommandError:
        return []  # a shell has no place for an error
    return [short for name in names if (short := name.removesuffix(":latest")).startswith(incomplete)]


def console() -> Console:
    """Return the console for standard output, which leaves names and texts as they are."""
    return Console(highlight=False, markup=False, emoji=False)


def spinner(text: str) -> AbstractContextManager[Any]:
    """Show ``text`` with a spinner while the block runs, on a terminal only."""
    out = console()
    return out.status(Text(text), spinner=ASCII_SPINNER) if out.is_terminal else nullcontext()

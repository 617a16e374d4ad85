"""What the commands about models work with: the parts of a shim without its server, and names as clients write them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.text import Text

from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.cli.setting_options import Refusal, plain_failures, read_config
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import Services

ASCII_SPINNER = "line"
"""Old consoles of Windows have no letters for the prettier ones."""


@contextmanager
def open_services(options: dict[str, str | None]) -> Iterator[Services]:
    """Give the parts that the settings describe; failures within the block become texts."""
    with plain_failures():
        services = Services.build(follow_running_shim(read_config(**options)))
        try:
            yield services
        finally:
            services.close()


def resolve_name(services: Services, name: str) -> ResolvedModel:
    """Return the model of that name; of no such name, raise Refusal with similar ones."""
    target = services.registry.find(name)
    if target is None:
        raise Refusal(f"LM Studio has no model {name!r}.{_similar(services, name)}")
    return target


def _similar(services: Services, name: str) -> str:
    names = [entry.name for entry in services.registry.entries(services.backend.listing())]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(close)}?" if close else " flask-shim models lists what there is."


def console() -> Console:
    """Return the console for standard output, which leaves names and texts as they are."""
    return Console(highlight=False, markup=False, emoji=False)


def busy(text: str) -> AbstractContextManager[Any]:
    """Say on a terminal that something goes on while the block runs; say nothing anywhere else."""
    out = console()
    return out.status(Text(text), spinner=ASCII_SPINNER) if out.is_terminal else nullcontext()

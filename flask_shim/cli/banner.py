"""The lines at start: version, addresses, backend."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import click

from flask_shim import __version__
from flask_shim.config import Config
from flask_shim.config.addresses import EVERYWHERE, is_loopback
from flask_shim.errors import ShimError
from flask_shim.lmstudio import ClientOptions, LMStudio
from flask_shim.serving.listeners import REACHED_AS


def print_start(config: Config, urls: Iterable[str]) -> None:
    """Print the version and where the shim listens; notes about settings are in the log."""
    click.echo(f"flask-shim {__version__}")
    is_everywhere = not {EVERYWHERE, *REACHED_AS}.isdisjoint(config.hosts)
    _print("listening", " ".join(urls) + (", and on every other address" if is_everywhere else ""))
    if config.allow_open and not config.api_keys and not all(map(is_loopback, config.hosts)):
        _print("open", "no key is required: every machine that reaches this one may use it (SHIM_ALLOW_OPEN)")
    if config.workers > 1:
        _print("workers", str(config.workers))


def print_backends_later(all_options: Mapping[str, ClientOptions]) -> None:
    """Look for each LM Studio on a thread, as it may not answer, and print what was found."""

    def look(name: str, options: ClientOptions) -> None:
        with LMStudio(options) as backend:
            _print(name or "backend", describe(backend))

    for found in all_options.items():
        threading.Thread(target=look, args=found, name="shim-banner", daemon=True).start()


def describe(backend: LMStudio) -> str:
    """Return one line on the backend: address, version and number of models, or why they are unknown."""
    try:
        listing = backend.listing()
    except ShimError as exc:
        return f"{exc.text.rstrip('.')}. The shim serves all the same."
    lacks = "" if listing.reports_state else ": its model list says names only"
    count = "1 model" if len(listing.models) == 1 else f"{len(listing.models)} models"
    return f"{backend.options.base_url}, {listing.api_version.title}{lacks}, {count}"


def _print(label: str, text: str) -> None:
    click.echo(f"  {label:<9}  {text}")

"""What is said at start."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import click

from flask_shim import __version__
from flask_shim.config import Config
from flask_shim.config.addresses import EVERYWHERE, is_loopback
from flask_shim.errors import ShimError
from flask_shim.lmstudio import ClientOptions, LMStudio
from flask_shim.serving.listeners import REACHED_AS


def say_start(config: Config, urls: Iterable[str]) -> None:
    """Say who we are and where we listen; what there is to say about the settings stands in the log."""
    click.echo(f"flask-shim {__version__}")
    _say("listening", " ".join(urls) + (", and on every other address" if _is_everywhere(config) else ""))
    if config.allow_open and not config.api_keys and not all(map(is_loopback, config.hosts)):
        _say("open", "no key is required: every machine that reaches this one may use it (SHIM_ALLOW_OPEN)")
    if config.workers > 1:
        _say("workers", str(config.workers))


def _is_everywhere(config: Config) -> bool:
    return not {EVERYWHERE, *REACHED_AS}.isdisjoint(config.hosts)


def say_backend_soon(link: ClientOptions) -> threading.Thread:
    """Look for LM Studio and say what was found, without anybody waiting for it."""
    thread = threading.Thread(target=_say_backend, args=(link,), name="shim-banner", daemon=True)
    thread.start()
    return thread


def _say_backend(link: ClientOptions) -> None:
    with LMStudio(link) as backend:
        _say("backend", describe(backend))


def describe(backend: LMStudio) -> str:
    """Return one line on the backend: where it is, what it is, how many models it has, or why it can't be said."""
    try:
        listing = backend.listing()
    except ShimError as exc:
        return f"{exc.text.rstrip('.')}. The shim serves all the same."
    count = "1 model" if len(listing.models) == 1 else f"{len(listing.models)} models"
    lacks = "" if listing.reports_state else ": its model list says names only"
    return f"{backend.options.base_url}, {listing.api_version.title}{lacks}, {count}"


def _say(label: str, text: str) -> None:
    click.echo(f"  {label:<9}  {text}")

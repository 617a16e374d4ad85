"""``flask-shim demo``: the shim in front of a small LM Studio with a llama.cpp engine."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from flask_shim import __version__
from flask_shim.app import create_app
from flask_shim.backend import client_options
from flask_shim.cli.serve_command import open_listeners_or_exit
from flask_shim.cli.setting_options import BAD_SETTINGS, CommandError, Decorated, errors_as_text
from flask_shim.config import Config
from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.embedded.mini_settings import Generation
from flask_shim.embedded.shell_commands import shell_command
from flask_shim.lmstudio import Kind, LMStudio
from flask_shim.observability import logs
from flask_shim.serving import run, urls_of

_PORT = click.IntRange(0, 65_535)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_GENERATION = click.Choice(get_args(Generation))
_DEFAULT_MODELS = {"SHIM_DEFAULT_REGULAR_MODEL": "tiny-chat", "SHIM_DEFAULT_VISION_MODEL": "tiny-vision"}


def _setting(name: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """Return an option whose default is read from the environment."""
    return click.option(name, envvar=f"SHIM_{name.removeprefix('--').replace('-', '_').upper()}", **attributes)


@click.command()
@_setting("--host", default="localhost", metavar="HOSTS", help="Addresses to listen on [SHIM_HOST].")
@_setting("--port", type=_PORT, default=11434, metavar="PORT", help="Port to listen on; 0 = any free one [SHIM_PORT].")
@_setting("--allow-open", is_flag=True, help="Serve other machines without a key.")
@click.option(
    "--backend-port", type=_PORT, default=0, metavar="PORT", help="Port of the small LM Studio [any free one]."
)
@click.option("--models", type=_FOLDER, metavar="FOLDER", help="Folder of GGUF files [five tiny models].")
@click.option("--generation", type=_GENERATION, default="v1", help="LM Studio's API version [v1].")
@_setting(
    "--auto-context",
    is_flag=True,
    help="Reload a model with more context for a prompt that does not fit [SHIM_AUTO_CONTEXT].",
)
@_setting(
    "--inspect",
    type=click.IntRange(0, 200),
    default=0,
    metavar="N",
    help="Keep the last N requests for the inspector at /shim/ [SHIM_INSPECT].",
)
@click.option("--debug", is_flag=True, help="Write a detailed log.")
def demo(*, backend_port: int, models: Path | None, generation: Generation, **settings: str | int | bool) -> None:
    """Try the shim without LM Studio, until Ctrl-C.

    A small LM Studio with a llama.cpp engine answers: with five tiny models, which know a few sentences, or with the
    GGUF files of --models. Of your settings only those in brackets below are used, from the environment.
    """
    with ExitStack() as stack, errors_as_text():
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="flask-shim-", ignore_cleanup_errors=True))
        texts = {f"SHIM_{option.upper()}": str(value) for option, value in settings.items()}
        config = Config.from_env({**texts, "SHIM_DATA_DIR": home, **_DEFAULT_MODELS}, env_file="")
        logs.configure(config)
        listeners = open_listeners_or_exit(config)
        for listener in listeners:
            stack.callback(listener.close)
        try:
            studio = MiniLMStudio(MiniSettings(models=models, generation=generation), port=backend_port)
        except OSError as exc:
            raise CommandError(
                f"Port {backend_port} can't be used for the small LM Studio: {exc.strerror}. Leave out --backend-port.",
                BAD_SETTINGS,
            ) from exc
        miniature = stack.enter_context(studio)
        config = replace(config, backend_url=miniature.url, rest_url=miniature.url)
        _announce(miniature.url, urls_of(listeners), _chat_model(config))
        run(create_app(config), config, listeners)
    logs.flush()
    click.echo("The demo has ended; nothing is left running.")
    logs.finish()


def _chat_model(config: Config) -> str:
    with closing(LMStudio(client_options(config))) as backend:
        found = [model.key for model in backend.models() if model.kind is Kind.LLM]
    if not found:
        raise CommandError("The folder of --models has no GGUF file of a chat model. Choose another folder.")
    return found[0]


def _announce(backend: str, urls: list[str], model: str) -> None:
    url = urls[0]
    click.echo(f"flask-shim {__version__}, demo: a small llama.cpp server stands in for LM Studio.\n")
    click.echo(f"  LM Studio  {backend}\n  shim       {' '.join(urls)}\n")
    click.echo("Try, in another terminal:\n")
    # In PowerShell 5 curl is another command.
    click.echo(f"  {'curl.exe' if sys.platform == 'win32' else 'curl'} {url}/api/tags")
    click.echo(f"  {_generate_command(url, model)}")
    click.echo(f"  {shell_command(*_own_command(), 'doctor', '--url', url)}\n")
    click.echo("Ctrl-C ends both.")


def _generate_command(url: str, model: str) -> str:
    is_windows = sys.platform == "win32"
    request = {"model": model, "prompt": "Hello", **({"stream": False} if is_windows else {})}
    body = json.dumps(request, separators=(",", ":"))
    if is_windows:  # PowerShell 5 removes the quotes in the arguments of curl
        quoted = body.replace("'", "''")
        return f"'{quoted}' |\n    Invoke-RestMethod {url}/api/generate -Method Post"
    return shell_command("curl", f"{url.removeprefix('http://')}/api/generate", "-d", body)


def _own_command() -> list[str]:
    """Return the words that start this installation, as few as the shell understands in the current folder."""
    script = Path(sys.argv[0])
    if script.stem != "flask-shim":
        return [_from_here(Path(sys.executable)), "-m", "flask_shim"]
    found = shutil.which("flask-shim")
    is_on_path = found is not None and Path(found).parent.resolve() == script.absolute().parent.resolve()
    return ["flask-shim" if is_on_path else _from_here(script)]


def _from_here(path: Path) -> str:
    """Return a path relative to the current folder if it is below it."""
    path, here = path.absolute(), Path.cwd()
    if path.is_relative_to(here) and path.parent != here:  # a name without a folder would be searched on PATH
        path = path.relative_to(here)
    return str(path)

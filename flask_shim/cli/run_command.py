"""``flask-shim run``: chat with a model of a running shim, as ``ollama run`` does."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import click

from flask_shim.cli.cli_context import complete_names
from flask_shim.cli.running_shim import RunningShim, open_shim
from flask_shim.cli.setting_options import CommandError, plain, shim_options

BYE = "/bye"
CLEAR = "/clear"
HELP = f"{BYE} ends, {CLEAR} forgets the chat, Ctrl-C stops an answer."

WAIT_SECONDS = 0.1
"""How long to wait at a time, because Ctrl-C interrupts no wait on Windows."""

Step = dict[str, Any]


@click.command()
@click.argument("name", metavar="MODEL", shell_complete=complete_names)
@click.argument("words", metavar="[PROMPT]...", nargs=-1)
@shim_options
def run(*, name: str, words: tuple[str, ...], url: str, **options: str | None) -> None:
    """Chat with a model of a running shim.

    With PROMPT, or text in a pipe: print one answer. Thinking is dimmed; Ctrl-C stops an answer, /bye ends the chat.
    """
    prompt = " ".join(words)
    is_piped = not sys.stdin.isatty()
    if is_piped:
        prompt = "\n\n".join(part for part in (sys.stdin.read().strip(), prompt) if part)
    with open_shim(url, options) as shim:
        chat = Chat(shim, name)
        if prompt:
            chat.ask(prompt)
        elif is_piped:
            raise CommandError("No prompt: write one behind the model, or into the pipe.")
        else:
            _converse(chat)


def _converse(chat: Chat) -> None:
    with suppress(ImportError):  # Windows' console edits lines itself
        import readline  # noqa: F401  gives input() a history
    click.echo(HELP, err=True)
    while True:
        try:
            prompt = input(">>> ").strip()
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo(f"\n{HELP}", err=True)
            continue
        if prompt == BYE:
            return
        if prompt == CLEAR:
            chat.messages.clear()
        elif prompt:
            try:
                chat.ask(prompt)
            except CommandError as exc:
                exc.show()


class Chat:
    """One chat. ``messages`` are its turns, which every request repeats."""

    def __init__(self, shim: RunningShim, model: str) -> None:
        self.messages: list[dict[str, str]] = []
        self._shim = shim
        self._model = model

    def ask(self, prompt: str) -> None:
        """Print the answer while it comes. After an error the prompt is forgotten; a stopped answer is kept."""
        turns = [*self.messages, {"role": "user", "content": prompt}]
        request_id = f"run-{secrets.token_hex(6)}"
        body = {"model": self._model, "messages": turns}
        answer = _Printer()
        steps = self._shim.stream("/api/chat", body, request_id)
        try:
            for step in _interruptible(steps):
                answer.add(step)
        except KeyboardInterrupt:
            with suppress(CommandError):  # it has just ended
                self._shim.cancel(request_id)
            click.echo(click.style("\nStopped.", dim=True), err=True)
        else:
            click.echo()
        self.messages = [*turns, {"role": "assistant", "content": answer.text}]


class _Printer:
    """Prints the pieces of an answer; thinking is dimmed and separated from the text by an empty line."""

    def __init__(self) -> None:
        self.text = ""
        self._is_thinking = False

    def add(self, step: Step) -> None:
        if "error" in step:
            raise CommandError(str(step["error"]))
        message = step.get("message", {})
        if thinking := message.get("thinking"):
            self._is_thinking = True
            click.echo(click.style(plain(thinking), dim=True), nl=False)
        if text := message.get("content"):
            if self._is_thinking:
                click.echo("\n")
            self._is_thinking = False
            self.text += text
            click.echo(plain(text), nl=False)


def _interruptible(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield the steps, which a thread reads: on Windows Ctrl-C does not interrupt a thread that reads a socket."""
    queue: SimpleQueue[Step | Exception | None] = SimpleQueue()

    def read() -> None:
        try:
            for step in steps:
                queue.put(step)
        except CommandError as exc:
            queue.put(exc)
        queue.put(None)

    threading.Thread(target=read, name="answer", daemon=True).start()
    while True:
        try:
            step = queue.get(timeout=WAIT_SECONDS)
        except Empty:
            continue
        if step is None:
            return
        if isinstance(step, Exception):
            raise step
        yield step

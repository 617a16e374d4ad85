"""How much of an agent's prompts is read again? ``python -m tests.benchmarks.prompt_cache``, with the real engine.

A session of Claude Code is replayed on /v1/messages before the small LM Studio of the demo, once with the billing line
that the client puts before its prompt, and once without it, as the shim sends it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the tests keep what they share

from support.agent_sessions import Exchange, MessagesClient, claude_code
from support.demo import Shim

from flask_shim.embedded import MiniLMStudio

MODEL = "tiny-chat"
SECONDS = 120
SESSION = claude_code(turns=12, tools=8, words=24, pictures=False)
"""As much as fits in the context of the tiny model."""


class Prompt(NamedTuple):
    """The tokens of one prompt, and how many of them the engine had in its cache."""

    tokens: int
    cached: int

    @property
    def evaluated(self) -> int:
        """How many the engine read."""
        return self.tokens - self.cached


def main() -> None:
    """Replay the session both ways and print the tokens of each prompt."""
    before, after = (list(replay(keep_billing_line=keep)) for keep in (True, False))
    click.echo("| Request | Prompt | Read with the line | Read without it |\n| --- | --- | --- | --- |")
    for number, (kept, removed) in enumerate(zip(before, after, strict=True), 1):
        click.echo(f"| {number} | {removed.tokens} | {kept.evaluated} | {removed.evaluated} |")
    sums = (sum(prompt.evaluated for prompt in prompts) for prompts in (before, after))
    click.echo("| all | {} | {} | {} |".format(sum(prompt.tokens for prompt in after), *sums))


def replay(*, keep_billing_line: bool) -> Iterator[Prompt]:
    """Send every request of the session and yield what the engine counts; the answers are those of the session."""
    client, last = MessagesClient(SESSION, MODEL), Exchange()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        studio = MiniLMStudio()
        try:
            with Shim(studio.url, Path(folder), keep_billing_line=keep_billing_line) as shim:
                for number, exchange in enumerate(SESSION.exchanges):
                    body = {**client.ask(number, last.calls), "max_tokens": 1}
                    yield count(requests.post(f"{shim.url}{client.path}", json=body, timeout=SECONDS))
                    client.take(answer_of(exchange))
                    last = exchange
        finally:
            studio.stop()


def count(response: requests.Response) -> Prompt:
    """Return the counts of an answer."""
    response.raise_for_status()
    usage = response.json()["usage"]
    return Prompt(usage["input_tokens"] + usage["cache_read_input_tokens"], usage["cache_read_input_tokens"])


def answer_of(exchange: Exchange) -> dict[str, Any]:
    """Return the answer of the session as the route sends it."""
    texts = [{"type": "text", "text": exchange.text}] if exchange.text else []
    calls = [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in exchange.calls]
    return {"content": [{"type": "thinking", "thinking": exchange.thinking}, *texts, *calls]}


if __name__ == "__main__":
    main()

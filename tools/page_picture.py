"""Save a picture of the page at /shim/ with streams in flight; make_pictures.py uses it.

PYTHONPATH=tests python tools/page_picture.py FILE.png        with the extra "test" and Chromium

The shim and its page are real. LM Studio is the fake one of the tests, whose streams never end.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from support.answers import endless
from support.browser import browsing, find_browser
from support.demo import Shim
from support.fake_lmstudio import CHAT, FakeLMStudio, v1_model

LARGE, SMALL = "qwen/qwen3-30b-a3b-2507", "qwen/qwen3-4b-2507"
MODELS = (
    v1_model(LARGE, context_length=32768, size_bytes=18_400_000_000),
    v1_model(SMALL, context_length=16384, size_bytes=2_500_000_000),
    v1_model("openai/gpt-oss-20b", size_bytes=12_100_000_000),
)
CLIENTS = (("GitHubCopilotChat/0.40", LARGE), ("claude-cli/2.1.0", LARGE), ("Continue/1.2", SMALL))
WIDTH, HEIGHT = 1100, 740
TOKENS_SECONDS = 0.04


def main(target: Path) -> None:
    """Save the picture."""
    with ExitStack() as stack:
        studio = stack.enter_context(FakeLMStudio(rows=MODELS))
        studio.answers[CHAT] = endless(TOKENS_SECONDS)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shim = stack.enter_context(Shim(studio.url, folder))
        for agent, model in CLIENTS:
            stack.enter_context(streaming(shim.port, agent, model))
        page = stack.enter_context(browsing(find_browser() or "chromium"))
        page.call("Emulation.setScrollbarsHidden", hidden=True)
        page.resize(WIDTH, HEIGHT)
        page.go(f"{shim.url}/shim/")
        page.until(f"document.querySelectorAll('#running tbody tr').length === {len(CLIENTS)}")
        page.until("Number(document.querySelector('#running tbody tr').cells[4].innerText) > 50")
        page.picture(target)


@contextmanager
def streaming(port: int, agent: str, model: str) -> Iterator[None]:
    """Keep a chat of one client open."""
    connection = HTTPConnection("127.0.0.1", port)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Why is the sky blue?"}]})
    connection.request("POST", "/api/chat", body, {"User-Agent": agent})
    answer = connection.getresponse()
    try:
        yield
    finally:
        connection.close()
        answer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

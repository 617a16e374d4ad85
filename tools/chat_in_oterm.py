"""Chat in oterm, a chat client for Ollama in the terminal, and save a picture of its window.

OLLAMA_HOST=127.0.0.1:11434 python tools/chat_in_oterm.py PICTURE MODEL QUESTION...

Needs ``pip install oterm``. The client runs as in a terminal, without its splash screen and its search for updates.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from oterm.app.oterm import OTerm
from oterm.app.widgets.chat import ChatItem
from oterm.app.widgets.model_select import ModelSelect
from oterm.config import appConfig
from textual.pilot import Pilot
from textual.widgets import Button

SIZE = (90, 21)
DEADLINE_SECONDS = 30


async def main(picture: Path, model: str, *questions: str) -> None:
    """Start a chat with a model, ask the questions, and save the window as SVG."""
    appConfig.set("splash-screen", value=False)
    app = OTerm()
    app.perform_checks = Mock()
    async with app.run_test(size=SIZE) as pilot:
        await start_chat(pilot, model)
        for number, question in enumerate(questions, 1):
            await pilot.press(*question, "enter")
            await until(lambda number=number: len(answers(pilot)) == number)
        await pilot.pause(0.5)
        picture.write_text(without_fonts(app.export_screenshot()), encoding="utf-8", newline="\n")


async def start_chat(pilot: Pilot[None], model: str) -> None:
    """Choose a model in the dialog for a new chat."""
    app = pilot.app
    await pilot.press("ctrl+n")
    await until(lambda: app.screen.query(ModelSelect) and app.screen.models)
    select = app.screen.query_one(ModelSelect)
    select.set_value(model)
    select.post_message(ModelSelect.Submitted(model))
    save = app.screen.query_one("#save-btn", Button)
    await until(lambda: not save.disabled)
    save.press()
    await until(lambda: app.query("#promptArea"))
    app.query_one("#promptArea").focus()
    await pilot.pause()


def answers(pilot: Pilot[None]) -> list[ChatItem]:
    """Return the answers that are complete."""
    return [item for item in pilot.app.query(ChatItem) if item.author != "user" and item.text.endswith((".", "?"))]


async def until(is_done: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not is_done():
            await asyncio.sleep(0.05)


def without_fonts(svg: str) -> str:
    """Remove fonts that a browser would load from another server."""
    return re.sub(r"@font-face \{.*?\}\n\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))

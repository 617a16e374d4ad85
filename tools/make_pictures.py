"""Make the pictures in docs/pictures: what commands print, and a chat client that uses the demo.

python tools/make_pictures.py        with the extra "test", Chromium and ``pip install oterm``; port 11434 must be free

Commands, answers and colors are real. Only the path of Python is shortened, and long answers are cut at "...".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
WIDTH = 130
MOST_LINES = 6
ANSWER_SECONDS = 30

SHIM = "http://127.0.0.1:11434"
ASK = '{"model": "tiny-chat", "messages": [{"role": "user", "content": "Hello"}]}'

# A picture must not load a font from another server.
SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}}\n\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    """Make all pictures."""
    page_picture()
    with demo() as (banner, backend):
        answer = requests.post(f"{SHIM}/api/chat", data=ASK, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        save("demo", [("flask-shim demo", banner), (f"curl {SHIM}/api/chat -d '{ASK}'", cut(answer.text))])
        chat_in_oterm("tiny-chat:latest", "Hello", "Why is the sky blue?")
        save("models", [printed(backend, "models"), printed(backend, "ps")])
        save("doctor", [printed(backend, "doctor", "--client", "vscode")])


def chat_in_oterm(*words: str) -> None:
    """Save the window of a chat client that asks a model questions."""
    script = [sys.executable, str(ROOT / "tools" / "chat_in_oterm.py"), str(FOLDER / "client.svg"), *words]
    with TemporaryDirectory() as folder:
        data = environment(OTERM_DATA_DIR=folder, OLLAMA_HOST="127.0.0.1:11434", PYDANTIC_AI_NO_BANNER="1")
        subprocess.run(script, env=data, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own script


def page_picture() -> None:
    """Save the page at /shim/, which needs Chromium."""
    script = [sys.executable, str(ROOT / "tools" / "page_picture.py"), str(FOLDER / "page.png")]
    subprocess.run(script, env=environment(PYTHONPATH=str(ROOT / "tests")), check=True)  # noqa: S603 - our own script


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Start the demo; yield its start message and the URL of its miniature LM Studio."""
    with subprocess.Popen(command("demo"), stdout=subprocess.PIPE, text=True, env=environment()) as process:  # noqa: S603
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if "Ctrl-C" in line:
                break
        banner = "".join(lines)
        try:
            yield banner, re.findall(r"http://\S+", banner)[0]
        finally:
            process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
            process.communicate(timeout=ANSWER_SECONDS)


def printed(backend: str, *words: str) -> tuple[str, str]:
    """Run a command; return it with what it prints in a terminal."""
    done = subprocess.run(  # noqa: S603 - our own command
        command(*words), capture_output=True, text=True, env=environment(SHIM_LMSTUDIO_BASE=backend), check=False
    )
    return f"flask-shim {' '.join(words)}", done.stdout + done.stderr


def command(*words: str) -> list[str]:
    """Return the command line of the shim."""
    return [sys.executable, "-m", "flask_shim", *words]


def environment(**more: str) -> dict[str, str]:
    """Return an environment without settings of the shim, in which programs print as to a terminal."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SHIM_", "OLLAMA_", "LMSTUDIO"))}
    return {**plain, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "PYTHONUNBUFFERED": "1", "SHIM_ENV_FILE": "", **more}


def cut(answer: str) -> str:
    """Return the first and the last lines of an answer."""
    lines = answer.splitlines()
    return "\n".join(lines if len(lines) <= MOST_LINES else [*lines[:3], "...", *lines[-2:]]) + "\n"


def save(name: str, runs: list[tuple[str, str]]) -> None:
    """Write one picture of commands and their output."""
    console = Console(record=True, width=WIDTH, file=Path(os.devnull).open("w"), color_system="truecolor")  # noqa: SIM115
    for shown, output in runs:
        console.print(Text.assemble(("$ ", "bold green"), (shown, "bold")))
        console.print(Text.from_ansi(output.replace(sys.executable, ".venv/bin/python").rstrip()))
        console.print()
    svg = console.export_svg(title=runs[0][0], theme=MONOKAI, code_format=SVG_FORMAT, unique_id=f"shim-{name}")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

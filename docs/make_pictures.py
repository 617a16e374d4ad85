"""Make the pictures in docs/pictures: what the commands print, as they print it.

python docs/make_pictures.py        from the top of the checkout, with the extra "embedded"; port 11434 has to be free

Commands, answers and colours are real. Only the folder of Python is shortened, and long answers are cut where "..."
stands.
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

import requests
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

FOLDER = Path(__file__).parent / "pictures"
WIDTH = 130
MOST_LINES = 6
ANSWER_SECONDS = 30

SHIM = "http://127.0.0.1:11434"
ASK = '{"model": "tiny-chat", "messages": [{"role": "user", "content": "Hello"}]}'

# A picture must not load a font from another server.
SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}}\n\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    """Make all pictures."""
    with demo() as (banner, backend):
        answer = requests.post(f"{SHIM}/api/chat", data=ASK, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        save("demo", [("flask-shim demo", banner), (f"curl {SHIM}/api/chat -d '{ASK}'", cut(answer.text))])
        save("models", [printed(backend, "models"), printed(backend, "ps")])
        save("doctor", [printed(backend, "doctor", "--client", "vscode")])


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Start the demo; yield what it says, and where its miniature of LM Studio answers."""
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
    """Return a command and what it prints in a terminal."""
    done = subprocess.run(  # noqa: S603 - our own command
        command(*words), capture_output=True, text=True, env=environment(SHIM_LMSTUDIO_BASE=backend), check=False
    )
    return f"flask-shim {' '.join(words)}", done.stdout + done.stderr


def command(*words: str) -> list[str]:
    """Return the command line of the shim."""
    return [sys.executable, "-m", "flask_shim", *words]


def environment(**more: str) -> dict[str, str]:
    """Return an environment without settings of the shim, in which programs think they print to a terminal."""
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

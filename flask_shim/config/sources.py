"""Where the texts come from: the settings file, the environment over it, the command line over both."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask_shim.config.env_file import KNOWN, read_lines

DEFAULT_FILE = ".env"


@dataclass(frozen=True, slots=True)
class Source:
    """All texts by variable, with what there is to say about how they were found."""

    texts: Mapping[str, str]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def gather(environ: Mapping[str, str], env_file: str | None, overrides: Mapping[str, str]) -> Source:
    """Lay the three over each other; ``env_file`` beats SHIM_ENV_FILE, and an empty one means no file at all."""
    wanted = bare(environ.get("SHIM_ENV_FILE", "")) if env_file is None else env_file
    if wanted or (env_file is None and Path(DEFAULT_FILE).is_file()):
        file = read_file(Path(wanted or DEFAULT_FILE))
    else:
        file = Source({})
    texts = {**file.texts, **environ, **overrides}
    return Source(texts, file.notes + unknown(texts), file.problems)


def bare(text: str) -> str:
    """Drop blanks, and the quotes that cmd.exe's ``set NAME="value"`` leaves in place; Ollama drops them, too."""
    inner = text.strip()
    is_quoted = len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'"
    return inner[1:-1].strip() if is_quoted else inner


def read_file(path: Path) -> Source:
    """Read one settings file; UTF-8 with or without the mark Windows editors put in front."""
    try:
        content = path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, RuntimeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        return Source({}, problems=(f"SHIM_ENV_FILE={str(path)!r}: Can't be read: {reason}.",))
    except UnicodeDecodeError:
        return Source({}, problems=(f"SHIM_ENV_FILE={str(path)!r}: Not UTF-8; save it with that encoding.",))
    texts, problems = read_lines(content, str(path))
    return Source(texts, notes=(f"settings read from {path.absolute()}",), problems=problems)


def unknown(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Say which variables look like ours but are none, and which one may have been meant."""
    strangers = sorted(name for name in texts if name.startswith("SHIM_") and name not in KNOWN)
    return tuple(f"{name} is no setting of the shim and does nothing{_meant(name)}" for name in strangers)


def _meant(name: str) -> str:
    close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""

"""Collect the texts of settings: a settings file, the environment over it, the command line over both."""

from __future__ import annotations

import codecs
import difflib
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from flask_shim.config.parsers import is_file
from flask_shim.config.reader import unquote

DEFAULT_FILE = ".env"

GENERIC = frozenset({"HOST", "PORT", "WORKERS", "CORS_ORIGINS", "OPENAI_BASE_URL", "OPENAI_API_KEY"})
"""Names that the .env of any project may have."""

_OTHER_PROGRAMS = ("LMSTUDIO_", "LM_", "OLLAMA_")
_DOUBLE_QUOTED = re.compile(r'[^=]*=[^\S\r\n]*"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """Texts by variable, with notes for the log and problems for the user."""

    texts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def gather(
    environ: Mapping[str, str],
    env_file: str | None,
    overrides: Mapping[str, str],
    *,
    known: Collection[str],
    paths: Collection[str],
) -> Source:
    """Merge the sources; ``env_file`` wins over SHIM_ENV_FILE, and an empty one means no file.

    ``known`` are the names of all settings, ``paths`` those whose values are paths.
    """
    named = unquote(environ.get("SHIM_ENV_FILE", "")) if env_file is None else env_file
    file = Source()
    if named:
        file = read_file(Path(named), known, paths)
    elif env_file is None and is_file(Path(DEFAULT_FILE)):
        file = _without_generic_names(read_file(Path(DEFAULT_FILE), known, paths), known)
    texts = {**file.texts, **environ, **overrides}
    return Source(texts, file.notes + _unknown(texts, known), file.problems)


def read_file(path: Path, known: Collection[str], paths: Collection[str]) -> Source:
    """Read a settings file in UTF-8, or in UTF-16 with a byte order mark, as Notepad and PowerShell 5 write it."""
    try:
        content = decode(path.expanduser().read_bytes())
    except (OSError, RuntimeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        return Source(problems=(f"SHIM_ENV_FILE={str(path)!r}: Can't be read: {reason}.",))
    except UnicodeDecodeError:
        return Source(problems=(f"SHIM_ENV_FILE={str(path)!r}: Not UTF-8; save it with that encoding.",))
    bindings = list(parse_stream(io.StringIO(content, newline=None)))
    return Source(
        # Values are not interpolated: a $ in a key stays one.
        {each.key: _value(each, paths) for each in bindings if each.key is not None and each.value is not None},
        (f"settings read from {path.absolute()}",),
        tuple(f"{path}, line {_line(each)}: {why}" for each in bindings for why in _mistakes(each, known)),
    )


def decode(content: bytes) -> str:
    """Return the text of a settings file; raise UnicodeDecodeError if its encoding is not known."""
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    if "\0" in text:  # every second byte is one in UTF-16 without the mark, as cmd /u writes it
        raise UnicodeDecodeError("utf-8", content, content.index(b"\0"), len(content), "a null byte")
    return text


def _value(binding: Binding, paths: Collection[str]) -> str:
    r"""Return the value; keep the backslashes of a path in double quotes, where dotenv decodes ``\t`` and ``\n``."""
    quoted = _DOUBLE_QUOTED.match(binding.original.string) if binding.key in paths else None
    if quoted is None:
        return binding.value or ""
    text = quoted.group(1)
    is_escaped = not re.sub(r'\\[\\"]', "", text).count("\\")
    return re.sub(r'\\([\\"])', r"\1", text) if is_escaped else text


def _mistakes(binding: Binding, known: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a line, without its text, which may hold a key.

    Names of other programs may have no value.
    """
    if binding.error:
        yield "Not NAME=value, or a quote that is not closed."
        return
    key = binding.key or ""
    ours = next((name for name in re.findall(r"\w+", key) if name in known or name.startswith("SHIM_")), None)
    if ours is not None and (binding.value is None or key != ours):
        yield f"It does not set {ours if ours in known else 'a setting'}; write it as NAME=value."


def _line(binding: Binding) -> int:
    """Return the line number; dotenv's parser counts blank lines in front of a line as part of it."""
    text = binding.original.string
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", text[: len(text) - len(text.lstrip())]))


def _without_generic_names(file: Source, known: Collection[str]) -> Source:
    """Ignore names such as PORT in a file that has no setting of the shim: it belongs to another project."""
    own = (name for name in file.texts if name.startswith("SHIM_") or name in known)
    if any(name not in GENERIC and not name.startswith(_OTHER_PROGRAMS) for name in own):
        return file
    ignored = sorted(GENERIC & file.texts.keys())
    if not ignored:
        return file
    texts = {name: text for name, text in file.texts.items() if name not in GENERIC}
    note = (
        f"{', '.join(ignored)} in {DEFAULT_FILE} ignored, as the file has no SHIM_ setting; SHIM_ENV_FILE can name it"
    )
    return Source(texts, (*file.notes, note), file.problems)


def _unknown(texts: Mapping[str, str], known: Collection[str]) -> tuple[str, ...]:
    """Return a note for each variable that begins with SHIM_ but is not a setting."""
    names = sorted(name for name in texts if name.startswith("SHIM_") and name not in known)
    # Compared without the prefix, which would make all of them similar.
    own = {each.removeprefix("SHIM_"): each for each in known if each.startswith("SHIM_")}
    notes = []
    for name in names:
        close = difflib.get_close_matches(name.removeprefix("SHIM_"), own, n=1, cutoff=0.75)
        advice = f"; did you mean {own[close[0]]}?" if close else ""
        notes.append(f"{name} is not a setting of the shim and has no effect{advice}")
    return tuple(notes)

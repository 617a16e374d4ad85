"""The models on disk: the tiny ones of the package, or a folder of GGUF files."""

from __future__ import annotations

import glob
import logging
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from flask_shim.embedded.gguf_header import Header, NotGguf, bits_per_weight, params_string, quantization, read_header
from flask_shim.embedded.mini_settings import DEFAULT_CONTEXT_LENGTH

log = logging.getLogger(__name__)

TINY = Path(__file__).with_name("models")
PART = re.compile(r"-(\d{5})-of-(\d{5})$")
PROJECTOR_EXTRAS = re.compile(r"^mmproj-?|-?mmproj\b|-(?:model-)?(?:b?f16|f32|q8_0)$")
"""What the name of a projector adds to that of its model, as in mmproj-NAME-f16.gguf or NAME-mmproj.gguf."""


class Reasoning(NamedTuple):
    """The options of a chat template for thinking, and their default."""

    options: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model on disk. ``size_bytes`` counts all its files, ``max_context_length`` is in tokens."""

    key: str
    publisher: str
    display_name: str
    path: Path
    architecture: str
    size_bytes: int
    max_context_length: int
    quantization: str | None
    bits_per_weight: int | None
    params_string: str | None
    is_embedding: bool = False
    is_decision: bool = False
    has_tools: bool = False
    reasoning: Reasoning | None = None
    projector: Path | None = None

    @property
    def type(self) -> str:
        """Its type in ``/api/v1/models``."""
        return "embedding" if self.is_embedding else "decision" if self.is_decision else "llm"

    @property
    def has_vision(self) -> bool:
        """Whether it accepts images."""
        return self.projector is not None


class Library:
    """The models in some folders, which are scanned for every list; a header is read once per file."""

    def __init__(self, folder: Path | None, *, has_decisions: bool = True) -> None:
        """Use ``folder``, or the tiny models; without decisions, leave out the models that make them."""
        self._has_decisions = has_decisions
        self.folders = [folder] if folder else []
        self._has_tiny = folder is None
        self._lock = threading.Lock()
        self._headers: dict[tuple[Path, int, int], Header | None] = {}
        self._entries: dict[str, Entry] = {}

    def entries(self) -> tuple[Entry, ...]:
        """Scan the folders and return the models, sorted by key."""
        with self._lock:
            found = list(self._tiny()) if self._has_tiny else []
            for folder in self.folders:
                found.extend(self._users(folder))
            found = [entry for entry in found if self._has_decisions or not entry.is_decision]
            self._entries = {entry.key: entry for entry in _distinct(found)}
            return tuple(self._entries[key] for key in sorted(self._entries))

    def find(self, key: str) -> Entry | None:
        """Return a model; the folders are scanned only for an unknown key."""
        entry = self._entries.get(key)
        if entry is None or not entry.path.exists():
            self.entries()
            entry = self._entries.get(key)
        return entry

    def _tiny(self) -> Iterator[Entry]:
        """Yield the tiny models; tiny-vision is the chat model with the projector."""
        for models, projectors in self._scan(TINY):
            for model in models:
                own = replace(model, publisher="flask-shim")
                yield own
                if own.key == "tiny-chat" and projectors:
                    yield _with_projector(replace(own, key="tiny-vision", display_name="tiny-vision"), projectors[0])

    def _users(self, folder: Path) -> Iterator[Entry]:
        for models, projectors in self._scan(folder):
            for model in models:
                projector = _projector_of(model, projectors, is_only=len(models) == 1)
                yield _with_projector(model, projector) if projector else model

    def _scan(self, folder: Path) -> Iterator[tuple[list[Entry], list[Path]]]:
        """Yield the models and the projectors of each folder inside ``folder``."""
        by_folder: dict[Path, tuple[list[Entry], list[Path]]] = defaultdict(lambda: ([], []))
        for path in sorted(folder.rglob("*.gguf")):
            part = PART.search(path.stem)
            is_later_part = part is not None and int(part[1]) > 1
            header = None if is_later_part else self._header(path)
            models, projectors = by_folder[path.parent]
            if header and header.fields.get("general.architecture") == "clip":
                projectors.append(path)
            elif header:
                models.append(_entry(path, header, folder))
        yield from by_folder.values()

    def _header(self, path: Path) -> Header | None:
        """Read a header once per version of a file; log and leave out a file that is no model."""
        try:
            stat = path.stat()
            version = path, stat.st_size, stat.st_mtime_ns
            if version not in self._headers:
                self._headers[version] = None
                self._headers[version] = read_header(path)
            return self._headers[version]
        except (OSError, NotGguf) as exc:
            log.warning("model file left out file=%s reason=%s", path.name, exc)
            return None


def _parts(path: Path) -> Iterable[Path]:
    """Return all files of a model: itself, or every part of its set."""
    part = PART.search(path.stem)
    if part is None:
        return [path]
    return path.parent.glob(f"{glob.escape(path.stem[: part.start()])}-*-of-{part[2]}.gguf")


def _projector_of(model: Entry, projectors: list[Path], *, is_only: bool) -> Path | None:
    """Return the projector of a model: that of its folder, or among several models the one with its name."""
    if model.is_embedding or not projectors:
        return None
    if is_only:
        return projectors[0]
    for projector in projectors:
        name = PROJECTOR_EXTRAS.sub("", PROJECTOR_EXTRAS.sub("", projector.stem.lower()))
        if name and model.path.stem.lower().startswith(name):
            return projector
    return None


def _with_projector(model: Entry, projector: Path) -> Entry:
    return replace(model, projector=projector, size_bytes=model.size_bytes + projector.stat().st_size)


def _entry(path: Path, header: Header, folder: Path) -> Entry:
    fields = header.fields
    architecture = str(fields.get("general.architecture", "unknown"))
    template = str(fields.get("tokenizer.chat_template", ""))
    stem, inside = PART.sub("", path.stem), path.relative_to(folder).parts[:-1]
    name = quantization(fields)
    return Entry(
        key="/".join([*inside[:1], stem]).lower(),
        publisher=inside[0] if inside else str(fields.get("general.organization", "local")),
        display_name=str(fields.get("general.name") or stem),
        path=path,
        architecture=architecture,
        size_bytes=sum(file.stat().st_size for file in _parts(path)),
        max_context_length=int(fields.get(f"{architecture}.context_length", DEFAULT_CONTEXT_LENGTH)),
        quantization=name,
        bits_per_weight=bits_per_weight(name),
        params_string=params_string(header, is_whole=stem == path.stem),
        is_embedding="bert" in architecture or f"{architecture}.pooling_type" in fields,
        is_decision=f"{architecture}.decision.type" in fields,
        has_tools="tools" in template,
        reasoning=_reasoning(template),
    )


def _reasoning(template: str) -> Reasoning | None:
    if "enable_thinking" in template:
        return Reasoning(("off", "on"), "on")
    return Reasoning(("low", "medium", "high"), "medium") if "reasoning_effort" in template else None


def _distinct(entries: list[Entry]) -> Iterator[Entry]:
    """Give a later model with the same key another key."""
    taken: set[str] = set()
    for entry in entries:
        key = entry.key
        if key in taken:
            key = f"{entry.publisher}/{entry.path.parent.name}/{entry.path.stem}".lower()
        taken.add(key)
        yield replace(entry, key=key)

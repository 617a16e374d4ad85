"""The settings of a miniature LM Studio: one frozen value, no globals, no environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Generation = Literal["v1", "v0", "openai"]

DEFAULT_TTL_SECONDS = 3600.0
DEFAULT_CONTEXT_LENGTH = 4096
"""LM Studio's own, both: an hour of idleness for what it loaded by itself, and a modest context in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniSettings:
    """How a miniature behaves.

    ``models`` is a folder of the user's GGUF files; without it the five tiny models are offered.
    ``downloads`` is a folder of GGUF files that may be "downloaded", at ``download_rate`` bytes per second.
    ``generation`` is the API that shows: ``v1`` (0.4), ``v0`` (0.3.6 and later) or ``openai`` (older).
    ``token`` switches authentication on. ``jit`` is loading on first use, for ``context_length`` tokens
    (or the model's maximum); ``auto_evict`` keeps only the last model that was loaded this way.
    ``slots`` are the predictions one model runs at once, ``threads`` the CPU threads of each engine.
    ``endless`` makes every answer go on until ``max_tokens`` or until the client leaves.
    ``clock`` gives monotonic seconds and decides when an idle model is unloaded.
    ``journal_length`` is how many requests are remembered, with their bodies; 0 for anything that runs for long.
    """

    models: Path | None = None
    downloads: Path | None = None
    download_rate: float = 20e6
    generation: Generation = "v1"
    token: str | None = field(default=None, repr=False)
    jit: bool = True
    auto_evict: bool = False
    ttl_seconds: float = DEFAULT_TTL_SECONDS
    context_length: int = DEFAULT_CONTEXT_LENGTH
    slots: int = 4
    endless: bool = False
    # With two threads ggml's spinning barriers cost a tiny model nearly all its speed on a busy machine.
    threads: int = 1
    clock: Callable[[], float] = time.monotonic
    journal_length: int = 100


DEFAULTS = MiniSettings()

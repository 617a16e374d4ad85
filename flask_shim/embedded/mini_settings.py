"""The settings of a miniature LM Studio."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Generation = Literal["v1", "v0", "openai"]

DEFAULT_CONTEXT_LENGTH = 4096
"""LM Studio's own, in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniSettings:
    """How a miniature behaves.

    ``models`` is a folder of the user's GGUF files; without it the five tiny models are offered.
    ``generation`` is the API that shows: ``v1`` (0.4), ``v0`` (0.3.6 and later) or ``openai`` (older).
    Models are loaded on first use for ``context_length`` tokens, or their maximum.
    ``slots`` are the predictions one model runs at once.
    ``endless`` makes every answer go on until ``max_tokens`` or until the client disconnects.
    ``clock`` gives monotonic seconds and decides when an idle model is unloaded.
    """

    models: Path | None = None
    generation: Generation = "v1"
    context_length: int = DEFAULT_CONTEXT_LENGTH
    slots: int = 4
    endless: bool = False
    clock: Callable[[], float] = time.monotonic


DEFAULTS = MiniSettings()

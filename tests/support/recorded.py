"""Model lists as LM Studio sends them, one of each generation of its API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask_shim.lmstudio.generations import Generation

FOLDER = Path(__file__).parents[1] / "data" / "lmstudio"
FILES = {Generation.V1: "v1-models.json", Generation.V0: "v0-models.json", Generation.OPENAI: "openai-models.json"}


def recorded(generation: Generation) -> Any:
    """Return the model list of that generation."""
    return json.loads((FOLDER / FILES[generation]).read_text(encoding="utf-8"))


V1 = recorded(Generation.V1)
V0 = recorded(Generation.V0)
OPENAI = recorded(Generation.OPENAI)

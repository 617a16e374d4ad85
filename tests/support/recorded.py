"""Model lists as LM Studio sends them, one of each generation of its API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask_shim.lmstudio.api_versions import ApiVersion

FOLDER = Path(__file__).parents[1] / "data" / "lmstudio"
FILES = {ApiVersion.V1: "v1-models.json", ApiVersion.V0: "v0-models.json", ApiVersion.OPENAI: "openai-models.json"}


def recorded(generation: ApiVersion) -> Any:
    """Return the model list of that generation."""
    return json.loads((FOLDER / FILES[generation]).read_text(encoding="utf-8"))


V1 = recorded(ApiVersion.V1)
V0 = recorded(ApiVersion.V0)
OPENAI = recorded(ApiVersion.OPENAI)

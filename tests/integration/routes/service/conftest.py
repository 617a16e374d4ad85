"""A shim in front of an LM Studio that remembers what is loaded, of any generation."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import FakeLMStudio

REGULAR, VISION = "qwen/qwen3-4b-2507", "qwen3-vl-4b-instruct"
"""The default models of the settings."""


@pytest.fixture
def generation():
    return "v1"


@pytest.fixture
def backend(generation):
    """Give an LM Studio with the two default models, of which one is loaded, and another one."""
    with FakeLMStudio(version=generation, models={REGULAR: 4096, VISION: None, "other": None}) as studio:
        studio.kinds[VISION] = "vlm"
        yield studio

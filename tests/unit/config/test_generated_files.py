"""Settings: the documentation says what the code does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import generated_files
import pytest

from flask_shim.config import SETTINGS, Config

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("docs/CONFIGURATION.md", generated_files.render_page),
        ("config/shim.env.example", generated_files.env_example),
        ("config/flask-shim.toml.example", generated_files.file_example),
    ],
)
def test_the_documentation_is_in_step_with_the_code(file, made):
    assert (ROOT / file).read_text(encoding="utf-8") == made(), "run python tools/generated_files.py"


def test_the_example_taken_at_its_word_changes_nothing(read, tmp_path):
    lines = generated_files.env_example().splitlines()
    settings = [line.removeprefix("#") for line in lines if line.startswith(("#SHIM_", "#OLLAMA_"))]
    assert len(settings) == len(SETTINGS)
    (tmp_path / ".env").write_text("\n".join(settings), encoding="utf-8")
    config = read()
    # A general timeout that is set, even to its default, is what the first byte follows; so with the model to ensure.
    assert dataclasses.replace(config, first_byte_timeout=600.0, ensure_model="openai/gpt-oss-20b") == Config()

"""Settings: the documentation says what the code does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from flask_shim.config import SETTINGS, Config, generated_docs

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("docs/CONFIGURATION.md", generated_docs.render_page),
        ("config/shim.env.example", generated_docs.env_example),
        ("config/flask-shim.toml.example", generated_docs.file_example),
    ],
)
def test_the_documentation_is_in_step_with_the_code(file, made):
    assert (ROOT / file).read_text(encoding="utf-8") == made(), "run python -m flask_shim.config.generated_docs"


def test_the_documentation_is_written_where_it_is_looked_for(tmp_path):
    written = generated_docs.write(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "docs/CONFIGURATION.md",
        "config/shim.env.example",
        "config/flask-shim.toml.example",
    ]
    assert written[1].read_text(encoding="utf-8") == generated_docs.env_example()


def test_the_example_taken_at_its_word_changes_nothing(read, tmp_path):
    lines = generated_docs.env_example().splitlines()
    settings = [line.removeprefix("#") for line in lines if line.startswith(("#SHIM_", "#OLLAMA_"))]
    assert len(settings) == len(SETTINGS)
    (tmp_path / ".env").write_text("\n".join(settings), encoding="utf-8")
    config = read()
    # A general timeout that is set, even to its default, is what the first byte follows; so with the model to ensure.
    assert dataclasses.replace(config, first_byte_timeout=600.0, ensure_model="openai/gpt-oss-20b") == Config()

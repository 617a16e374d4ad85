"""``flask-shim config check``: which file is used, and what its tables do."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from flask_shim.cli import cli


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Return a function that checks a file with that text in the current folder."""
    monkeypatch.chdir(tmp_path)

    def checked(text=None, *arguments):
        if text is not None:
            (tmp_path / "flask-shim.toml").write_text(text, encoding="utf-8")
        return CliRunner().invoke(cli, ["config", "check", *arguments])

    return checked


def test_without_a_file_the_searched_folders_are_named(check):
    result = check()
    assert result.exit_code == 0
    assert "No flask-shim.toml is used" in result.output


def test_each_table_is_explained_with_its_line(check, tmp_path):
    result = check(
        '[key.editor]\nvalue = "secret"\n\n[[rule]]\nroute = ["a", "b"]\nset = { top_k = 1 }\nkeep_alive = -1\n'
        '[model.x]\nkeep_alive = "2h"'
    )
    assert result.exit_code == 0
    assert result.output.startswith(f"{tmp_path / 'flask-shim.toml'}: 3 tables, no mistakes.\n\nline 1: [key.")
    for part in ("line 4: [[rule]]\n", 'route = ["a", "b"]   #', "set = { top_k = 1 }", "keep_alive = -1 "):
        assert part in result.output
    assert "keep_alive = 7200 " in result.output
    assert "secret" not in result.output


def test_backends_are_explained_without_their_tokens(check):
    result = check('[[backend]]\nname = "a"\nurl = "a:1"\ntoken = "secret"\nmax_streams = 4\n')
    assert result.exit_code == 0
    for part in ("line 1: [[backend]]\n", 'url = "http://a:1" ', "token = … ", "max_streams = 4 "):
        assert part in result.output
    assert "secret" not in result.output


def test_each_profile_names_the_models_that_it_matches(check, studio, monkeypatch, tmp_path):
    monkeypatch.setenv("SHIM_DATA_DIR", str(tmp_path))
    backend = studio(**{"qwen/coder": None, "qwen/tiny": None})
    text = '[model."qwen/*"]\ntop_k = 1\n[model."*CODER"]\ntop_k = 2\n[model.x]\ntop_k = 3'
    output = check(text, "--lmstudio-url", backend.url).output
    found = [line.strip() for line in output.splitlines() if "Matches" in line]
    assert found == [
        "# Matches qwen/coder, qwen/tiny.",
        "# Matches qwen/coder.",
        "# Matches none of the 2 models at hand.",
    ]
    assert "LM Studio does not answer." in check(text, "--lmstudio-url", "http://127.0.0.1:9").output


def test_mistakes_end_it_with_code_two_and_no_traceback(check, tmp_path):
    result = check("[[rules]]\n[model.x]\ncontext = 0")
    assert (result.exit_code, result.output.count("\n")) == (2, 2)
    assert "Traceback" not in result.output

"""``flask-shim models`` and ``flask-shim ps``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.processes import run
from support.scripts import by_path, lm_studio, model, replies, silent

from flask_shim.cli import cli

BIG = model(
    "qwen/qwen3-8b",
    size_bytes=5_030_000_000,
    params_string="8B",
    quantization={"name": "Q4_K_M", "bits_per_weight": 4},
    loaded_instances=[
        {"id": "qwen/qwen3-8b", "config": {"context_length": 4096}, "remaining_ttl_seconds": 59.6},
        {"id": "qwen/qwen3-8b:2", "config": {"context_length": 8192}},
    ],
)
SMALL = model("tiny", size_bytes=1_376_000, loaded_instances=[])


@pytest.fixture
def invoke():
    """Give a function that runs a command here against a backend."""

    def run_here(backend, *arguments, **env):
        arguments = (*arguments, "--lmstudio-url", backend, "--env-file", "")
        return CliRunner().invoke(cli, arguments, env=env, prog_name="flask-shim")

    return run_here


@pytest.fixture
def backend(rude):
    """Give the address of an LM Studio with two models, one of them loaded twice."""
    return rude(lm_studio(silent, BIG, SMALL)).url


def test_models_into_a_pipe_are_lines_of_tabs(invoke, backend):
    rows = [line.split("\t") for line in invoke(backend, "models").stdout.splitlines()]
    assert [row[:7] for row in rows] == [
        ["qwen/qwen3-8b:latest", "llm", "5.0 GB", "8B", "Q4_K_M", "4096", "yes"],
        ["tiny:latest", "llm", "1.4 MB", "-", "-", "8192", "no"],
    ]


def test_ps_into_a_pipe_is_a_line_for_each_copy(invoke, backend):
    assert [line.split("\t")[1:] for line in invoke(backend, "ps").stdout.splitlines()] == [
        ["qwen/qwen3-8b", "5.0 GB", "4096", "60"],
        ["qwen/qwen3-8b:2", "5.0 GB", "8192", "-"],
    ]


@pytest.mark.parametrize(("command", "heading"), [("models", "QUANT"), ("ps", "INSTANCE")])
def test_lists_on_a_terminal_are_tables(invoke, backend, command, heading):
    first, second, *_ = invoke(backend, command, FORCE_COLOR="1", COLUMNS="120").stdout.splitlines()
    assert heading in first
    assert "qwen3-8b" in second


def test_empty_list_on_a_terminal_says_so(invoke, rude):
    backend = rude(lm_studio(silent, SMALL)).url
    assert invoke(backend, "ps", FORCE_COLOR="1").stdout == "none\n"


@pytest.mark.parametrize(
    ("command", "index", "facts"),
    [
        ("models", 1, {"key": "tiny", "size_bytes": 1_376_000, "quantization": None, "is_loaded": False}),
        ("ps", 0, {"instance": "qwen/qwen3-8b", "context_length": 4096, "seconds_left": 59.6}),
    ],
)
def test_json_holds_the_facts(invoke, backend, command, index, facts):
    row = json.loads(invoke(backend, command, "--json").stdout)[index]
    assert {name: row[name] for name in facts} == facts


@pytest.mark.parametrize("command", ["models", "ps"])
def test_unreachable_lm_studio_is_a_text_and_exit_code_1(invoke, command):
    result = invoke("http://127.0.0.1:9", command)
    assert result.exit_code == 1
    assert result.stderr.startswith("LM Studio is not reachable at http://127.0.0.1:9 (connection refused)")


@pytest.mark.parametrize("command", ["models", "ps"])
def test_bad_settings_are_exit_code_2(invoke, command):
    result = invoke("ftp://x", command)
    assert (result.exit_code, result.stderr.startswith("SHIM_LMSTUDIO_BASE='ftp://x': ")) == (2, True)


def test_ps_says_when_the_backend_does_not_tell(invoke, rude):
    server = rude(by_path({"/v1/models": replies({"data": [{"id": "m"}]})}))
    result = invoke(server.url, "ps")
    assert (result.exit_code, "does not tell which models are loaded" in result.stderr) == (1, True)


def test_name_the_terminal_has_no_letters_for_is_escaped(rude):
    backend = rude(lm_studio(silent, model("m\u6a21", loaded_instances=[])))
    code, output = run("models", "--lmstudio-url", backend.url, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert (code, output.split("\t")[0]) == (0, "m\\u6a21:latest")

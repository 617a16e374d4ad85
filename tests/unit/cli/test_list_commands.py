"""``flask-shim models``, ``ps``, ``show`` and ``rm``."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from support.answers import by_path, lm_studio, model, replies, silent
from support.backend_pool import to_toml
from support.fake_lmstudio import FakeLMStudio
from support.processes import run

from flask_shim.cli import cli
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.translate.ollama.alias import Alias
from flask_shim.translate.ollama.requests import Message

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
def backend(socket_server):
    """Give the address of an LM Studio with two models, one of them loaded twice."""
    return socket_server(lm_studio(silent, BIG, SMALL)).url


@pytest.fixture
def alias(tmp_path):
    """Make a name of its own from the small model."""
    store = AliasStore(tmp_path / "data" / FILE_NAME)
    store.put(
        Alias(
            name="helper:latest",
            base="tiny",
            created_ns=1,
            parent="tiny:latest",
            system="Be brief.",
            parameters={"num_ctx": 2048, "stop": ["x"]},
            messages=(Message("user", "Hi"),),
        )
    )
    return store


@pytest.mark.parametrize("command", [("models",), ("show", "tiny")])
def test_what_lm_studio_reports_cannot_control_a_terminal(invoke, socket_server, command):
    evil = model("tiny", display_name="\x1b[2JTiny", params_string="\x1b[31m8B")
    result = invoke(socket_server(lm_studio(silent, evil)).url, *command)
    assert ("[31m8B" in result.stdout, "\x1b" in result.stdout) == (True, False)


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


def test_empty_list_on_a_terminal_prints_none(invoke, socket_server):
    backend = socket_server(lm_studio(silent, SMALL)).url
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


def test_ps_marks_what_the_backend_does_not_report(invoke, socket_server):
    server = socket_server(by_path({"/v1/models": replies({"data": [{"id": "m"}]})}))
    result = invoke(server.url, "ps")
    assert (result.exit_code, "does not tell which models are loaded" in result.stderr) == (1, True)


@pytest.mark.parametrize("code_page", ["cp437", "cp850", "cp1252"])
def test_name_the_terminal_has_no_letters_for_is_escaped(socket_server, code_page):
    backend = socket_server(lm_studio(silent, model("m\u6a21", loaded_instances=[])))
    code, output = run("models", "--lmstudio-url", backend.url, PYTHONIOENCODING=code_page, PYTHONUTF8="0")
    assert (code, output.split("\t")[0]) == (0, "m\\u6a21:latest")


# --- names of the user's own ---


def test_models_list_names_made_from_models(invoke, backend, alias):
    names = [line.split("\t")[0] for line in invoke(backend, "models").stdout.splitlines()]
    assert names == ["qwen/qwen3-8b:latest", "tiny:latest", "helper:latest"]


def test_ps_lists_models_under_their_own_names_only(invoke, socket_server, alias):
    backend = socket_server(lm_studio(silent, SMALL | {"loaded_instances": [{"id": "tiny"}]})).url
    assert [line.split("\t")[0] for line in invoke(backend, "ps").stdout.splitlines()] == ["tiny:latest"]


def test_rm_deletes_a_name_of_ones_own(invoke, backend, alias):
    result = invoke(backend, "rm", "Helper")
    assert (result.exit_code, result.stdout) == (0, "Deleted Helper.\n")
    assert alias.aliases() == {}


def test_rm_needs_no_lm_studio_for_that(invoke, alias):
    assert invoke("http://127.0.0.1:9", "rm", "helper").exit_code == 0


def test_rm_leaves_lm_studios_models_alone(invoke, backend, alias):
    result = invoke(backend, "rm", "tiny")
    assert (result.exit_code, result.stderr) == (
        1,
        "tiny:latest is a model of LM Studio. Delete it in LM Studio (My Models).\n",
    )


# --- one model ---


def test_show_into_a_pipe_is_a_line_for_each_fact(invoke, backend):
    facts = dict(line.split("\t") for line in invoke(backend, "show", "qwen3-8b").stdout.splitlines())
    assert {name: facts[name] for name in ("name", "key", "size", "quantization", "context", "publisher")} == {
        "name": "qwen/qwen3-8b:latest",
        "key": "qwen/qwen3-8b",
        "size": "5.0 GB",
        "quantization": "Q4_K_M",
        "context": "at most 8192 tokens",
        "publisher": "-",
    }
    assert facts["loaded"] == "qwen/qwen3-8b with 4096 tokens; qwen/qwen3-8b:2 with 8192 tokens"
    assert "system" not in facts


def test_show_of_an_alias_prints_its_settings(invoke, backend, alias):
    facts = dict(line.split("\t") for line in invoke(backend, "show", "helper").stdout.splitlines())
    assert {name: facts[name] for name in ("key", "from", "system", "options", "messages")} == {
        "key": "tiny",
        "from": "tiny:latest",
        "system": "Be brief.",
        "options": "num_ctx=2048, stop=['x']",
        "messages": "1",
    }


def test_show_on_a_terminal_is_aligned(invoke, backend):
    lines = invoke(
        backend, "show", "tiny", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="80", TERM="dumb"
    ).stdout.splitlines()
    assert len({re.search(r"^\S+ +", _plain(line)).end() for line in lines}) == 1


def test_show_prints_json(invoke, backend, alias):
    body = json.loads(invoke(backend, "show", "helper", "--json").stdout)
    assert body["option_values"] == {"num_ctx": 2048, "stop": ["x"]}
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    body = json.loads(invoke(backend, "show", "qwen/qwen3-8b", "--json").stdout)
    assert body["instances"][0] == {"instance": "qwen/qwen3-8b", "context_length": 4096, "seconds_left": 59.6}


# --- terminals ---


def _plain(line):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)


@pytest.mark.parametrize(
    ("columns", "headings"),
    [
        (200, ["NAME", "KIND", "SIZE", "PARAMETERS", "QUANT", "CONTEXT", "LOADED", "CAN"]),
        (70, ["NAME", "SIZE", "QUANT", "CONTEXT", "LOADED", "CAN"]),
        (50, ["NAME", "SIZE", "CONTEXT", "LOADED"]),
        (40, ["NAME", "CONTEXT", "LOADED"]),
    ],
)
def test_narrow_terminal_gets_fewer_columns(invoke, backend, columns, headings):
    first, *rows = invoke(backend, "models", FORCE_COLOR="1", COLUMNS=str(columns)).stdout.splitlines()
    assert _plain(first).split() == headings
    assert all("qwen/qwen3-8b:latest" in row or "qwen" not in row for row in rows)


def test_name_that_looks_like_markup_is_shown_as_it_is(invoke, socket_server):
    backend = socket_server(lm_studio(silent, model("m[bold]x[/bold]:smile:", loaded_instances=[]))).url
    for arguments in (("models",), ("show", "m[bold]x[/bold]:smile:")):
        assert "m[bold]x[/bold]:smile:" in _plain(invoke(backend, *arguments, FORCE_COLOR="1", COLUMNS="200").stdout)


@pytest.fixture
def pair(tmp_path):
    """Give the environment of a file with two LM Studios, both with "tiny"."""
    with FakeLMStudio({"tiny": 4096}) as desktop, FakeLMStudio({"tiny": 8192, "other": None}) as laptop:
        file = tmp_path / "pair.toml"
        file.write_text(to_toml({"desktop": desktop.url, "laptop": laptop.url}), encoding="utf-8")
        yield {"SHIM_CONFIG": str(file), "SHIM_DATA_DIR": str(tmp_path / "data")}


def test_lists_name_the_machines_if_there_are_several(pair):
    def lines(command):
        result = CliRunner().invoke(cli, (command, "--env-file", ""), env=pair, prog_name="flask-shim")
        return [line.split("\t") for line in result.stdout.splitlines()]

    assert [(row[0], row[-1]) for row in lines("models")] == [
        ("tiny:latest", "desktop, laptop"),
        ("other:latest", "laptop"),
    ]
    assert [(row[0], row[3], row[-1]) for row in lines("ps")] == [
        ("tiny:latest", "4096", "desktop"),
        ("tiny:latest", "8192", "laptop"),
    ]

"""``flask-shim pull`` and ``ensure``: progress on a terminal and in a pipe, and what is said at the end."""

from __future__ import annotations

import pytest
from support.fake_lms import CAN_RUN_SCRIPTS, WHY_NOT, FakeLms
from support.fake_lmstudio import CRASHED, JOB

from flask_shim.cli import progress
from flask_shim.lmstudio import downloads

START, STATUS = "/api/v1/models/download", "/api/v1/models/download/status/job_1"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Let nothing wait."""
    monkeypatch.setattr(downloads, "POLL_SECONDS", 0.0)
    monkeypatch.setattr("flask_shim.inference.pull_progress.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("flask_shim.lmstudio.readiness.SETTLE_SECONDS", 0.0)


@pytest.fixture
def offering(studio):
    """Return a function that starts an LM Studio which offers one model."""

    def of(name="maker/new", key="maker/new"):
        backend = studio(m=4096)
        backend.offers = {name: [key]}
        return backend

    return of


def test_pull_into_a_pipe_is_plain_lines(invoke, offering):
    result = invoke(offering(), "pull", "maker/new")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "maker/new    0 %  0.0 MB of 0.0 MB",
        "maker/new  100 %  0.0 MB of 0.0 MB",
        "Downloaded maker/new:latest.",
    ]


def test_pull_on_a_terminal_is_a_bar(invoke, offering):
    result = invoke(offering(), "pull", "maker/new", FORCE_COLOR="1", COLUMNS="80")
    assert "maker/new" in result.stdout
    assert "100/100 bytes" in result.stdout
    assert result.stdout.endswith("Downloaded maker/new:latest.\n")


def test_pull_of_what_is_there_downloads_nothing(invoke, offering):
    backend = offering()
    assert invoke(backend, "pull", "m").stdout == "m:latest is already downloaded.\n"
    assert backend.paths() == []


@pytest.mark.parametrize("arguments", [("hf.co/a/b:Q4",), ("hf.co/a/b", "--quantization", "Q4")])
def test_pull_requests_the_quantization(invoke, offering, arguments):
    backend = offering("https://huggingface.co/a/b")
    assert invoke(backend, "pull", *arguments).exit_code == 0
    assert backend.posted(START) == [{"model": "https://huggingface.co/a/b", "quantization": "Q4"}]


def test_pulled_model_with_another_name_has_the_pulled_name_too(invoke, offering):
    backend = offering("https://huggingface.co/maker/new-GGUF", "maker/new")
    assert invoke(backend, "pull", "hf.co/maker/new-GGUF").exit_code == 0
    assert "maker/new" in invoke(backend, "models").stdout


def test_pull_of_an_unknown_model_is_an_error(invoke, offering):
    result = invoke(offering(), "pull", "maker/nope")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "pull model manifest: No such model on offer.\n"


def test_failed_pull_reports_the_reason(invoke, offering):
    backend = offering()
    backend.answers[STATUS] = {**JOB, "status": "failed", "error_message": "disk full"}
    result = invoke(backend, "pull", "maker/new")
    assert (result.exit_code, result.stderr) == (1, "disk full\n")


def test_pull_with_an_old_backend_names_the_needed_version(invoke, studio):
    result = invoke(studio("v0", m=None), "pull", "maker/new")
    assert (result.exit_code, "that needs LM Studio 0.4 or later" in result.stderr) == (1, True)


@pytest.mark.skipif(not CAN_RUN_SCRIPTS, reason=WHY_NOT)
def test_pull_with_an_old_backend_uses_its_tool(invoke, studio, tmp_path, monkeypatch):
    lms = FakeLms(tmp_path / "lms", offered=["maker/new"])
    monkeypatch.setenv("PATH", str(lms.folder))
    backend = studio("v0", m=None)
    backend.answers["/lmstudio-greeting"] = {"lmstudio": True}
    assert invoke(backend, "pull", "maker/new").stdout.endswith("Downloaded maker/new.\n")
    assert lms.calls == [["get", "--yes", "maker/new"]]


def test_ctrl_c_reports_that_the_download_continues(invoke, offering, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Lines, "show", interrupt)
    result = invoke(offering(), "pull", "maker/new")
    assert (result.exit_code, "LM Studio continues the download" in result.stderr) == (1, True)


MB, GB = 10**6, 10**9
TOLD = {
    "at the end": (
        [(0, GB, 0), (200 * MB, GB, 1), (GB, GB, 1)],
        ["m    0 %  0.0 MB of 1.0 GB", "m  100 %  1.0 GB of 1.0 GB  0.5 GB/s"],
    ),
    "of a download that was joined": (
        [(None, None, 0), (500 * MB, GB, 10), (750 * MB, GB, 10)],
        ["m", "m   50 %  0.5 GB of 1.0 GB", "m   75 %  0.8 GB of 1.0 GB  25.0 MB/s  0:10 left"],
    ),
    "without a total": ([(MB, None, 0), (2 * MB, None, 5)], ["m  1.0 MB", "m  2.0 MB  0.2 MB/s"]),
    "of hours": (
        [(0, 36 * GB, 0), (10 * MB, 36 * GB, 10)],
        ["m    0 %  0.0 MB of 36.0 GB", "m    0 %  10.0 MB of 36.0 GB  1.0 MB/s  9:59:50 left"],
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_lines_tell_percent_bytes_speed_and_the_time_left(capsys, monkeypatch, name):
    (moments, lines), now = TOLD[name], [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    display = progress.Lines("m")
    for done, total, seconds in moments:
        now[0] += seconds
        display.show(done, total)
    assert capsys.readouterr().out.splitlines() == lines


# --- ensure ---


def test_ensure_of_a_loaded_model_reports_that(invoke, studio):
    result = invoke(studio(tiny=4096), "ensure", "tiny:latest")
    assert (result.exit_code, result.stdout) == (0, "tiny is ready and loaded.\n")


def test_ensure_loads(invoke, studio):
    backend = studio(tiny=None)
    assert invoke(backend, "ensure", "tiny").stdout == "tiny is ready and loaded.\n"
    assert backend.models == {"tiny": 4096}


def test_ensure_need_not_load(invoke, studio):
    backend = studio(tiny=None)
    assert invoke(backend, "ensure", "tiny", "--no-preload").stdout == "tiny is ready.\n"
    assert backend.models == {"tiny": None}


def test_ensure_downloads_what_is_missing(invoke, offering):
    backend = offering()
    result = invoke(backend, "ensure", "maker/new")
    assert result.stdout.splitlines()[-2:] == ["Downloaded maker/new.", "maker/new is ready and loaded."]
    assert backend.models["maker/new"] == 4096


@pytest.mark.parametrize(
    ("env", "name"),
    [({}, "openai/gpt-oss-20b"), ({"DEFAULT_REGULAR_MODEL": "m"}, "m"), ({"SHIM_ENSURE_MODEL": "n"}, "n")],
)
def test_ensure_takes_the_model_of_the_settings(invoke, studio, env, name):
    assert invoke(studio(**{name: 4096}), "ensure", **env).stdout == f"{name} is ready and loaded.\n"


def test_ensure_that_cannot_load_warns(invoke, studio):
    backend = studio(tiny=None)
    backend.answers["/api/v1/models/load"] = CRASHED
    result = invoke(backend, "ensure", "tiny")
    assert (result.exit_code, result.stdout) == (0, "tiny is ready.\n")
    assert result.stderr == "Warning: tiny is not loaded: Failed to load model. Out of memory.\n"


def test_ensure_that_cannot_tell_what_was_downloaded_warns(invoke, offering):
    backend = offering()
    backend.offers["maker/new"] = []
    result = invoke(backend, "ensure", "maker/new")
    assert (result.exit_code, "Downloaded maker/new.\n" in result.stdout) == (0, True)
    assert "Warning: downloaded 'maker/new', but LM Studio lists no model with that key" in result.stderr


def test_ensure_of_an_unknown_model_is_exit_code_1(invoke, offering):
    result = invoke(offering(), "ensure", "maker/nope")
    assert result.exit_code == 1
    assert result.stderr == ("LM Studio has no model 'maker/nope', and does not download it: No such model on offer.\n")

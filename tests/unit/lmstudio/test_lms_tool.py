"""The lms tool, played by a script: what it is started with, and what becomes of what it says."""

import threading
import time

import pytest
from support.fake_lms import CAN_RUN_SCRIPTS, WHY_NOT, FakeLms, in_memory, on_disk

from flask_shim.lmstudio import BackendCall, Download
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    ClientDisconnected,
    InvalidModelName,
    ModelLoadError,
    NotSupported,
)
from flask_shim.lmstudio.lms import tool as lms_tool
from flask_shim.lmstudio.lms.tool import CliTool

pytestmark = pytest.mark.skipif(not CAN_RUN_SCRIPTS, reason=WHY_NOT)


@pytest.fixture
def fake(tmp_path):
    """Return a function that installs a fake with some state."""
    return lambda **state: FakeLms(tmp_path / "bin", **state)


def test_lists_are_what_the_tool_prints(fake):
    tool = CliTool(fake(models=[on_disk("a")], loaded=[in_memory("a")]).program)
    assert tool.ls() == [on_disk("a")]
    assert tool.ps() == [in_memory("a")]


def test_load_names_the_model_by_its_exact_path(fake):
    lms = fake(models=[on_disk("qwen3-8b-instruct"), on_disk("qwen3-8b")])
    CliTool(lms.program).load("qwen3-8b", context_length=8192)
    assert lms.calls[-1] == [*("load", "--exact", "--yes", "--context-length", "8192", "maker/qwen3-8b/model.gguf")]
    assert lms.loaded == ["qwen3-8b"]


def test_load_omits_unset_fields(fake):
    lms = fake(models=[on_disk("a")])
    CliTool(lms.program).load("a")
    assert lms.calls[-1] == ["load", "--exact", "--yes", "maker/a/model.gguf"]


def test_load_of_a_model_that_is_only_similar_is_refused(fake):
    lms = fake(models=[on_disk("qwen3-8b-instruct")])
    with pytest.raises(BackendRequestError, match="lists no model"):
        CliTool(lms.program).load("qwen3-8b")
    assert lms.calls == [["ls", "--json"]]


def test_failed_load_reports_the_reason(fake):
    lms = fake(models=[on_disk("a")], failing={"load": "Failed to load model: insufficient system resources"})
    with pytest.raises(ModelLoadError, match="insufficient system resources"):
        CliTool(lms.program).load("a")


def test_unload_removes_every_copy_of_the_model_and_no_other(fake):
    lms = fake(loaded=[in_memory("a"), in_memory("b"), in_memory("a:2", "a")])
    CliTool(lms.program).unload("a")
    assert lms.loaded == ["b"]


def test_unload_removes_one_copy_by_its_identifier(fake):
    lms = fake(loaded=[in_memory("a"), in_memory("a:2", "a")])
    CliTool(lms.program).unload("a:2")
    assert lms.loaded == ["a"]


def test_unload_of_what_is_not_loaded_does_nothing(fake):
    lms = fake(loaded=[in_memory("b")])
    CliTool(lms.program).unload("a")
    assert lms.calls == [["ps", "--json"]]


def test_download_yields_its_states(fake, monkeypatch):
    monkeypatch.setattr(lms_tool, "POLL_SECONDS", 0)
    lms = fake(offered=["maker/new"])
    states = list(CliTool(lms.program).download("maker/new@q4_k_m"))
    assert lms.calls == [["get", "--yes", "maker/new@q4_k_m"]]
    assert states[:2] == [
        Download(status="downloading"),
        Download(status="downloading", done_bytes=0, total_bytes=1_000_000),
    ]
    assert states[-1] == Download(status="completed", done_bytes=1_000_000, total_bytes=1_000_000)


def test_download_yields_no_state_for_each_line_of_the_tool(fake):
    states = [state.status for state in CliTool(fake(offered=["maker/new"]).program).download("maker/new")]
    assert states == ["downloading", "completed"]


def test_download_of_an_unknown_model_is_an_error(fake):
    with pytest.raises(BackendRequestError, match="No models found with the specified search criteria"):
        list(CliTool(fake().program).download("nope"))


def test_download_stops_if_the_tool_chooses_another_model(fake):
    lms = fake(similar=["llama3.2"])
    with pytest.raises(BackendRequestError, match="no model of exactly that name"):
        list(CliTool(lms.program).download("llama3.2"))
    assert lms.calls == [["get", "--yes", "llama3.2"]]


def test_download_that_is_no_longer_followed_ends_the_tool(fake, monkeypatch):
    monkeypatch.setattr(lms_tool, "POLL_SECONDS", 0)
    lms = fake(offered=["maker/new"], pause=0.2)
    states = CliTool(lms.program).download("maker/new")
    assert [next(states).done_bytes, next(states).done_bytes] == [None, 0]
    before = time.monotonic()
    states.close()
    assert time.monotonic() - before < 10
    assert not [thread for thread in threading.enumerate() if thread.name == "shim-lms" and _lives_on(thread)]


def _lives_on(thread):
    thread.join(5)
    return thread.is_alive()


@pytest.mark.parametrize("name", ["--foo", "-a", "", "a\nb", "a\x00b", "a\x1b[0m"])
@pytest.mark.parametrize("work", [lambda tool, name: list(tool.download(name)), lambda tool, name: tool.load(name)])
def test_name_that_could_be_an_option_reaches_no_command(fake, work, name):
    lms = fake(models=[{"modelKey": name, "path": name}], offered=[name])
    with pytest.raises(InvalidModelName):
        work(CliTool(lms.program), name)
    assert [call for call in lms.calls if call[0] != "ls"] == []


def test_identifier_that_could_be_an_option_is_not_unloaded(fake):
    lms = fake(loaded=[in_memory("--all", "a")])
    with pytest.raises(InvalidModelName):
        CliTool(lms.program).unload("a")
    assert lms.calls == [["ps", "--json"]]


@pytest.mark.parametrize("name", ["a; touch x", "$(touch x)", "`touch x`", "a && b", "%PATH%", "a'b\"c"])
def test_name_is_one_argument_whatever_is_in_it(fake, name):
    lms = fake(offered=[name])
    list(CliTool(lms.program).download(name))
    assert lms.calls == [["get", "--yes", name]]


@pytest.fixture
def hanging(fake):
    """The tool, and the fake behind it, which hangs in every command."""
    lms = fake(hang=True)
    return CliTool(lms.program), lms


def _lists_at_once(monkeypatch, tool):
    monkeypatch.setattr(tool, "ls", lambda **_: [on_disk("a")])
    monkeypatch.setattr(tool, "ps", lambda **_: [in_memory("a")])


WORKS = {
    "get": lambda tool, call: list(tool.download("x", call=call)),
    "load": lambda tool, call: tool.load("a", call=call),
    "unload": lambda tool, call: tool.unload("a", call=call),
}


@pytest.mark.parametrize(
    ("work", "hangs_in"), [("get", "get"), ("load", "load"), ("load", "ls"), ("unload", "unload"), ("unload", "ps")]
)
def test_disconnect_ends_the_tool(hanging, until, monkeypatch, work, hangs_in):
    tool, lms = hanging
    if hangs_in == work:
        _lists_at_once(monkeypatch, tool)
    gone, ends = threading.Event(), []

    def ask():
        try:
            WORKS[work](tool, BackendCall(gone.is_set))
        except ClientDisconnected as exc:
            ends.append(exc)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: lms.is_hanging)
    gone.set()
    asking.join(10)
    assert len(ends) == 1
    assert [call[0] for call in lms.calls] == [hangs_in]


def test_slow_load_is_a_timeout(hanging, monkeypatch):
    tool = CliTool(hanging[0].program, load_timeout=0.2)
    _lists_at_once(monkeypatch, tool)
    with pytest.raises(BackendTimeout, match="lms load took longer"):
        tool.load("a")


@pytest.mark.parametrize("printed", ["", "hello", '{"a": 1}', "[1, 2"])
def test_list_that_is_none_is_the_tools_fault(tmp_path, printed):
    program = tmp_path / "lms"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{printed}'\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(BackendProtocolError):
        CliTool(program).ls()


def test_list_is_found_behind_what_else_is_printed(tmp_path):
    program = tmp_path / "lms"
    program.write_text("#!/bin/sh\necho 'Waking up LM Studio'\necho '[{\"a\": 1}, 5]'\n", encoding="utf-8")
    program.chmod(0o755)
    assert CliTool(program).ps() == [{"a": 1}]


def test_tool_that_cannot_be_started_is_no_bug_of_ours(tmp_path):
    program = tmp_path / "lms"
    program.write_bytes(b"\x00\x01 no program")
    program.chmod(0o755)
    with pytest.raises(NotSupported, match="cannot be started"):
        CliTool(program).ls()

"""The agent of launchd, with recorded calls of launchctl."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from flask_shim.config import Config
from flask_shim.deploy.service.launchd import Launchd
from flask_shim.deploy.service.steps import Result, State, StepFailed

NAME = "gui/501/com.flask-shim"


@pytest.fixture
def launchd(tmp_path):
    return Launchd(tmp_path / "my & shim", tmp_path / "agents" / "com.flask-shim.plist", 501)


def test_install_writes_an_agent_that_runs_in_the_folder(launchd, perform):
    assert perform(launchd.install(Config(), None)) == []
    agent = plistlib.loads(launchd.agent.read_bytes())
    assert agent["WorkingDirectory"] == str(launchd.folder)
    assert agent["EnvironmentVariables"] == {"SHIM_SERVICE_LOG_FILE": f"{launchd.folder}/shim.log"}


def test_start_loads_the_agent_also_when_a_failed_one_is_loaded(launchd, perform, recorder):
    recorder.answers["launchctl bootout"] = Result(3, "No such process")
    assert perform(launchd.start()) == [f"launchctl bootout {NAME}", f"launchctl bootstrap gui/501 {launchd.agent}"]


def test_a_start_that_fails_is_reported(launchd, perform, recorder):
    recorder.answers["launchctl bootstrap"] = Result(5, "Bootstrap failed: 5:\n Input/output error\n")
    with pytest.raises(StepFailed, match=r"ended with 5: Bootstrap failed: 5: Input/output error$"):
        perform(launchd.start())


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        (Result(0, "com.flask-shim = {\n\tstate = running\n"), State.RUNNING),
        (Result(0, "com.flask-shim = {\n\tstate = not running\n"), State.STOPPED),
        (Result(113, "Could not find service"), State.STOPPED),
    ],
)
def test_state_of_an_installed_agent(launchd, perform, recorder, shown, state):
    assert launchd.state(recorder) is State.NOT_INSTALLED
    perform(launchd.install(Config(), None))
    recorder.answers["launchctl print"] = shown
    assert launchd.state(recorder) is state


def test_stop_and_remove_unload_the_agent(launchd, perform):
    perform(launchd.install(Config(), None))
    assert perform(launchd.stop()) == [f"launchctl bootout {NAME}"]
    assert perform(launchd.remove(State.RUNNING)) == [f"launchctl bootout {NAME}"]
    assert not launchd.agent.exists()


def test_root_has_no_session():
    assert "without sudo" in Launchd(Path("/"), Path("p"), 0).obstacle()
    assert Launchd(Path("/"), Path("p"), 501).obstacle() is None

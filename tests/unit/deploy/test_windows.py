"""The Windows service, with recorded calls of sc, reg and icacls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flask_shim.config import Config
from flask_shim.deploy.service.steps import Result, State, StepFailed
from flask_shim.deploy.service.windows import WindowsServices

STOPPED = """
SERVICE_NAME: flask-shim
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : 1  STOPPED
        WIN32_EXIT_CODE    : 1077  (0x435)
"""


@pytest.fixture
def windows(tmp_path):
    return WindowsServices(tmp_path / "Gemeinsame Däten", r"C:\Program Files\Python\python.exe", {"LAUNCHER": "x"})


def installed(windows, perform, text="SHIM_API_KEY=secret\n"):
    return perform(windows.install(Config(drain_seconds=20), text))


def test_the_service_starts_delayed_under_an_account_of_its_own(windows, perform):
    (create,) = (call for call in installed(windows, perform) if call.startswith("sc.exe create"))
    assert create == (
        'sc.exe create flask-shim binPath= "C:\\Program Files\\Python\\python.exe" -m flask_shim service-host'
        f' --stop-timeout 30 --log "{windows.log}" start= delayed-auto obj= NT SERVICE\\flask-shim'
        " DisplayName= flask-shim"
    )


def test_the_service_is_started_again_after_a_crash(windows, perform):
    assert "sc.exe failure flask-shim reset= 3600 actions= restart/5000/restart/30000/restart/60000" in installed(
        windows, perform
    )


def test_a_shutdown_of_the_machine_waits_for_the_drain(windows, perform):
    (value,) = (call for call in installed(windows, perform) if "PreshutdownTimeout" in call)
    assert value.endswith("/v PreshutdownTimeout /t REG_DWORD /s | /d 30000 /f")


def test_the_process_gets_its_places_and_its_python(windows, perform):
    (value,) = (call for call in installed(windows, perform) if "REG_MULTI_SZ" in call)
    variables = dict(line.split("=", 1) for line in value.partition(" /d ")[2].removesuffix(" /f").split("|"))
    assert variables == {
        "PYTHONUTF8": "1",
        "SHIM_ENV_FILE": str(windows.settings),
        "SHIM_SERVICE_LOG_FILE": windows.log,
        "SHIM_SERVICE_DATA_DIR": str(windows.folder / "data"),
        "LAUNCHER": "x",
    }


def test_settings_are_written_after_access_is_restricted(windows, perform, recorder):
    written_after = []
    steps = windows.install(Config(), "SHIM_API_KEY=secret\n")
    for step in steps:
        if step.text == f"write {windows.settings}":
            written_after = list(recorder.calls)
        step.perform(recorder)
    everything = "*S-1-5-32-544:(OI)(CI)F *S-1-5-18:(OI)(CI)F"
    access = [call for call in written_after if call.startswith("icacls.exe")]
    assert access[:3] == [
        f"icacls.exe {windows.folder} /setowner *S-1-5-32-544 /T /Q",
        f"icacls.exe {windows.folder} /inheritance:r /grant:r {everything} NT SERVICE\\flask-shim:(OI)(CI)RX /Q",
        f"icacls.exe {windows.folder}\\* /reset /T /Q",
    ]
    assert [call for call in access if ")M" in call] == [
        f"icacls.exe {windows.folder / name} /grant NT SERVICE\\flask-shim:(OI)(CI)M /Q" for name in ("logs", "data")
    ]
    assert windows.settings.read_text() == "SHIM_API_KEY=secret\n"


def test_a_dry_run_shows_no_key(windows):
    assert not [step for step in windows.install(Config(), "SHIM_API_KEY=secret\n") if "secret" in step.text]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Result(0, STOPPED), State.STOPPED),
        (Result(0, STOPPED.replace("1  STOPPED", "4  RUNNING")), State.RUNNING),
        (Result(0, STOPPED.replace("1  STOPPED", "3  STOP_PENDING")), State.RUNNING),
        (Result(0, STOPPED.replace("STATE ", "STATUS").replace("1  STOPPED", "4  RUNNING")), State.RUNNING),
        (Result(1060, "[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:"), State.NOT_INSTALLED),
    ],
)
def test_the_state_is_read_in_every_language(windows, recorder, answer, state):
    recorder.answers["sc.exe query"] = answer
    assert windows.state(recorder) is state


def test_stop_waits_until_the_service_has_stopped(windows, recorder):
    states = iter([STOPPED.replace("1  ", "3  "), STOPPED])
    request, wait = windows.stop()
    request.perform(recorder)
    wait.perform(lambda words: Result(0, next(states)))
    assert recorder.calls == ["sc.exe stop flask-shim"]
    assert next(states, None) is None


def test_remove_stops_a_running_service_first(windows, recorder, perform):
    recorder.answers["sc.exe query"] = Result(0, STOPPED)
    assert perform(windows.remove(State.STOPPED)) == ["sc.exe delete flask-shim"]
    assert perform(windows.remove(State.RUNNING)) == [
        "sc.exe stop flask-shim",
        "sc.exe query flask-shim",
        "sc.exe delete flask-shim",
    ]


def test_a_failed_step_quotes_the_output_of_windows(windows, recorder, perform):
    recorder.answers["sc.exe create"] = Result(5, "[SC] OpenSCManager FAILED 5:\n\nAccess is denied.\n")
    with pytest.raises(StepFailed, match=r"ended with 5: \[SC\] OpenSCManager FAILED 5: Access is denied\.$"):
        installed(windows, perform)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"is_administrator": False}, "Run as administrator"),
        ({"profiles": Path("/users"), "installed_in": (Path("/users/anna/.venv"),)}, "A service can't read"),
        ({"profiles": Path("/users"), "python": "/users/anna/WindowsApps/python.exe"}, "A service can't read"),
    ],
)
def test_obstacles_are_reported(more, said):
    manager = replace(WindowsServices(Path("/data"), "python.exe", {}), **more)
    assert said in manager.obstacle()

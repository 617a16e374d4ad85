"""Where the lms tool is looked for, and when it speaks to the backend."""

import os

import pytest

from flask_shim.lmstudio.lms.locate import PROGRAM, find_tool, is_this_machine


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder; PATH is empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(folder))
    monkeypatch.setenv("PATH", "")
    return folder


@pytest.fixture
def on_path(monkeypatch):
    """Return a function that sets PATH."""
    return lambda *folders: monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))


def install(folder):
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / PROGRAM
    program.write_bytes(b"")
    program.chmod(0o755)
    return program


def test_tool_on_path_comes_first(tmp_path, home, on_path):
    install(home / ".lmstudio" / "bin")
    expected = install(tmp_path / "elsewhere")
    on_path(tmp_path / "none", tmp_path / "elsewhere")
    assert find_tool() == expected


@pytest.mark.parametrize("folder", [".lmstudio/bin", ".cache/lm-studio/bin"])
def test_tool_is_found_where_lm_studio_puts_it(home, folder):
    installed = install(home / folder)
    assert find_tool() == installed


def test_tool_is_found_through_the_pointer_file(tmp_path, home):
    install(home / ".lmstudio" / "bin")
    moved = install(tmp_path / "moved here" / "bin")
    (home / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'moved here'}\n", encoding="utf-8")
    assert find_tool() == moved


@pytest.mark.parametrize("content", [b"", b"relative/path", b"\xff\xfe\x00", b"/no/such/folder", b"a\x00b"])
def test_pointer_that_points_nowhere_does_no_harm(home, content):
    (home / ".lmstudio-home-pointer").write_bytes(content)
    assert find_tool() is None
    usual = install(home / ".lmstudio" / "bin")
    assert find_tool() == usual


def test_tool_that_is_nowhere_is_none(home, on_path):
    on_path("", "relative", home)
    assert find_tool() is None


def test_tool_in_the_current_folder_is_not_taken(home, on_path, monkeypatch):
    install(home)
    monkeypatch.chdir(home)
    on_path("", ".")
    assert find_tool() is None


def test_folder_of_the_tools_name_is_not_taken(home):
    (home / ".lmstudio" / "bin" / PROGRAM).mkdir(parents=True)
    assert find_tool() is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission to execute")
def test_file_that_may_not_be_started_is_not_taken(home):
    install(home / ".lmstudio" / "bin").chmod(0o644)
    assert find_tool() is None


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://127.0.0.1:1234", True),
        ("http://localhost:1234/v1", True),
        ("http://192.0.2.1:1234", False),  # reserved for documentation (RFC 5737)
        ("http://does-not-exist.invalid:1234", False),
        ("http://" + "a" * 300, False),
    ],
)
def test_address_is_this_machines_when_a_socket_can_be_bound_to_it(url, is_ours):
    assert is_this_machine(url) is is_ours

"""What is built from the checkout: a source archive, and from that a wheel, with all they need and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from flask_shim import __version__

ROOT = Path(__file__).parents[2]
LEFT_OUT = (".*", "*.egg-info", "__pycache__", "build", "dist", "htmlcov", "site")
"""What is made by working in a checkout, and what is for working in it."""

FOLDERS = ("config", "docs", "flask_shim", "tests", "tools")
AT_THE_TOP = {
    ".dockerignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "main.py",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
}

NAME = f"flask_shim-{__version__}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Give a copy of the checkout: building writes into it."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("built") / "checkout"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copy(ROOT / ".dockerignore", folder)
    return folder


@pytest.fixture(scope="module")
def built(checkout):
    """Give the folder with both, built without fetching anything."""
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(checkout.parent), str(checkout)]
    made = subprocess.run(words, capture_output=True, text=True, check=False, timeout=50)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Deprecat" not in made.stdout + made.stderr
    return checkout.parent


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        yield archive


def files_in(folder, *, below=""):
    """Return the files in a folder, but for what comes and goes."""
    found = (path for path in (folder / below).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel, checkout):
    inside = {name for name in wheel.namelist() if f"{NAME}.dist-info" not in name}
    assert inside == files_in(checkout, below="flask_shim")
    assert {"flask_shim/py.typed", "flask_shim/embedded/models/tiny-chat.gguf"} <= inside


def test_the_wheel_has_its_metadata(wheel):
    said = Parser().parsestr(wheel.read(f"{NAME}.dist-info/METADATA").decode("utf-8"))
    assert (said["Name"], said["Version"], said["Requires-Python"]) == ("flask-shim", __version__, ">=3.10")
    assert said["License-Expression"] or said["License"] == "MIT"
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload().startswith("# flask-shim")
    assert wheel.read(f"{NAME}.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_brings_the_command(wheel):
    assert "flask-shim = flask_shim.cli:main" in wheel.read(f"{NAME}.dist-info/entry_points.txt").decode("utf-8")


def test_the_source_archive_has_all_that_the_tests_and_a_build_need(built, checkout):
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        inside = {name.removeprefix(f"{NAME}/") for name in archive.getnames() if archive.getmember(name).isfile()}
    there = {name for folder in FOLDERS for name in files_in(checkout, below=folder)}
    assert {name for name in inside if name.partition("/")[0] in FOLDERS} == there
    assert inside >= AT_THE_TOP

"""The installed package, from an empty folder, with blanks and umlauts in every path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import ShimProcess, clean_environment

ROOT = Path(__file__).parents[2]
SOURCES = ("flask_shim", "config", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install a copy of the checkout without its dependencies; return the folder of packages."""
    source, target = tmp_path_factory.mktemp("Quelle für alle"), tmp_path_factory.mktemp("Programme für alle")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", target, source], check=True, cwd=source)
    return target


def run_python(installed, folder, *arguments):
    """Run the Python with the installed package in an empty folder; return its exit code and output."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        env=clean_environment() | {"PYTHONPATH": str(installed)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ran.returncode, ran.stdout.decode("utf-8", "replace")


def test_installed_package_is_the_one_that_is_used(installed, tmp_path):
    code, output = run_python(installed, tmp_path, "-X", "utf8", "-c", "import flask_shim; print(flask_shim.__file__)")
    assert (code, os.path.normcase(output.strip())) == (
        0,
        os.path.normcase(installed / "flask_shim" / "__init__.py"),
    )


def test_demo_passes_the_doctor_answers_and_ends(installed, tmp_path):
    with ShimProcess(arguments=("demo", "--port", "0"), PYTHONPATH=str(installed)) as demo:
        demo.url = demo.until(r"  shim +(\S+)").group(1)
        code, output = run_python(installed, tmp_path, "-m", "flask_shim", "doctor", "--url", demo.url)
        assert code == 0, output
        with demo.chat("Why is the sky blue?", "tiny-chat") as response:
            lines = [json.loads(line) for line in response.iter_lines()]
        assert "".join(line["message"]["content"] for line in lines)
        assert lines[-1]["done"] is True
        assert demo.stop() == 0
        assert demo.log.endswith("The demo has ended; nothing is left running.\n")

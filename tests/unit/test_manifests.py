"""The manifests of winget and scoop, and the start of the one-folder build."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flask_shim import __version__

PACKAGING = Path(__file__).parents[2] / "packaging"
WINGET = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(PACKAGING.glob("winget/*.yaml"))
}
SCOOP = json.loads((PACKAGING / "scoop" / "flask-shim.json").read_text(encoding="utf-8"))

REQUIRED = {
    "version": {"DefaultLocale"},
    "installer": {"Installers", "InstallerType", "NestedInstallerType", "NestedInstallerFiles"},
    "defaultLocale": {"PackageLocale", "Publisher", "PackageName", "License", "ShortDescription"},
}
"""What winget's schemas require for a zip, beside the names, the version and the type."""


@pytest.mark.parametrize("name", WINGET)
def test_winget_manifest_has_the_version_and_the_required_fields(name):
    manifest = WINGET[name]
    assert manifest["PackageVersion"] == __version__
    assert REQUIRED[manifest["ManifestType"]] <= manifest.keys()
    assert re.fullmatch(r"\w+\.\w+", manifest["PackageIdentifier"])
    assert name.startswith(manifest["PackageIdentifier"])


def test_winget_manifests_belong_together():
    assert {manifest["ManifestType"] for manifest in WINGET.values()} == set(REQUIRED)
    assert len({manifest["PackageIdentifier"] for manifest in WINGET.values()}) == 1
    assert len({manifest["ManifestVersion"] for manifest in WINGET.values()}) == 1


def test_scoop_manifest_has_the_version_and_the_required_fields():
    assert SCOOP["version"] == __version__
    assert {"version", "description", "homepage", "license"} <= SCOOP.keys()


def test_both_name_the_same_file_and_the_program_of_the_spec():
    (installer,) = next(each for each in WINGET.values() if each["ManifestType"] == "installer")["Installers"]
    download = SCOOP["architecture"]["64bit"]
    assert installer["InstallerUrl"] == download["url"]
    assert installer["InstallerSha256"] == download["hash"]
    assert re.fullmatch(r"[0-9a-f]{64}", download["hash"])
    assert f"flask-shim-{__version__}-windows-x64.zip" in download["url"]
    assert 'name="flask-shim"' in (PACKAGING / "flask-shim.spec").read_text(encoding="utf-8")
    assert (SCOOP["extract_dir"], SCOOP["bin"]) == ("flask-shim", "flask-shim.exe")


@pytest.mark.parametrize("words", [["--version"], ["-m", "flask_shim", "--version"]])
def test_the_build_starts_as_the_command_and_as_python_does(words):
    done = subprocess.run(
        [sys.executable, str(PACKAGING / "start.py"), *words], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == f"flask-shim {__version__}"


def test_the_build_starts_no_other_module():
    done = subprocess.run(
        [sys.executable, str(PACKAGING / "start.py"), "-m", "http.server"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2

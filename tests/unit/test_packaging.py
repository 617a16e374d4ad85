"""What is installed: the version, the command, and that everything imported is asked for."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from importlib import metadata
from pathlib import Path

import flask_shim

PACKAGE = Path(flask_shim.__file__).parent


def imported() -> set[str]:
    """Give the top-level names every file of the package imports, wherever in the file."""
    found: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    # _typeshed is the type checker's own, compression is part of the standard library of Python 3.14, and tomli stands
    # in for tomllib before 3.11.
    return found - set(sys.stdlib_module_names) - {"flask_shim", "_typeshed", "compression", "tomli"}


def required() -> set[str]:
    """Give the normalised names of what is installed with the package, with and without extras."""
    lines = metadata.requires("flask-shim") or []
    return {re.split(r"[^A-Za-z0-9._-]", line)[0].lower().replace("_", "-") for line in lines}


def test_everything_imported_is_required():
    owners = metadata.packages_distributions()
    missing = {
        name
        for name in imported()
        if not {owner.lower().replace("_", "-") for owner in owners.get(name, [])} & (required() | {"werkzeug"})
    }
    assert missing == set()  # werkzeug comes with Flask, in the version Flask wants


def test_everything_required_has_a_lower_bound():
    lowest = runpy.run_path(str(PACKAGE.parent / "tools" / "lowest.py"))
    held = [lowest["lowest"](line) for line in lowest["needed"]()]
    assert "flask==3.0" in held
    assert len(held) > 10


def test_the_version_is_the_one_of_the_package():
    assert metadata.version("flask-shim") == flask_shim.__version__


def test_the_command_leads_to_the_command_line():
    (command,) = (script for script in metadata.entry_points(group="console_scripts") if script.name == "flask-shim")
    assert command.value == "flask_shim.cli:main"

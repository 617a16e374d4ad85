"""What the start of a server imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.processes import clean_environment
from werkzeug.routing import Rule

UNUSED = {
    "PIL",
    "apispec",
    "flask_shim.deploy",
    "flask_shim.doctor",
    "flask_shim.embedded",
    "flask_shim.openapi",
    "flask_shim.serving.supervisor",
    "flask_swagger_ui",
    "jsonschema",
    "multiprocessing",
    "referencing",
    "rich",
}
"""What serves rare requests, several workers or other commands: it would only delay the first answer."""


@pytest.mark.parametrize("entry_point", ["flask_shim.cli.serve_command", "flask_shim.wsgi"])
def test_a_server_imports_only_what_it_needs_for_a_chat(entry_point, tmp_path):
    code = f"import sys, {entry_point}; from flask_shim.wsgi import app; print(*sys.modules)"
    environment = clean_environment() | {"SHIM_DATA_DIR": str(tmp_path)}
    environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True).stdout
    loaded = set(printed.decode("ascii").split())
    assert {entry_point, "flask_shim.routes.ollama"} <= loaded
    assert loaded & UNUSED == set()


def test_werkzeug_has_the_method_that_our_routes_put_off():
    assert "_compile_builder" in vars(Rule)

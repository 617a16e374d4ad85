"""The README and the tables that it leads to match the code."""

from __future__ import annotations

import ast
import re

import pytest
from support.curl import requests_in as curl_in
from support.example_demo import ExampleDemo
from support.pages import ROOT, blocks, rows, text_of
from support.powershell import requests_in as powershell_in

from flask_shim import create_app
from flask_shim.cli import COMMANDS
from flask_shim.config import Config

README = text_of(ROOT / "README.md")
ROUTES = text_of(ROOT / "docs" / "ROUTES.md")
DEPENDENCIES = text_of(ROOT / "docs" / "DEPENDENCIES.md")

_READERS = {"bash": curl_in, "powershell": powershell_in}
ASKED = [
    asked
    for block in blocks(README)
    if block.text.startswith(("curl ", "Invoke-RestMethod"))
    for asked in _READERS[block.kind](block.text.replace(" | ConvertTo-Json -Depth 10", ""))
]


def test_the_table_of_routes_is_the_map_of_the_app():
    found = [route for cell, *_ in rows(ROUTES, "Routes") for route in re.findall(r"`([A-Z, ]+) (/\S*)`", cell)]
    assert len(found) == len(set(found))
    is_so = {
        (", ".join(sorted(rule.methods or ())), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in create_app(Config()).url_map.iter_rules()
    }
    assert {(methods, path) for methods, path in found} == is_so


def test_the_table_of_commands_names_every_one():
    found = [name for cell, _ in rows(README, "Commands") for name in re.findall(r"`flask-shim (\w+)`", cell)]
    assert sorted(found) == sorted(COMMANDS)


def test_the_table_of_packages_matches_the_setup():
    result = {
        f"{name}>={bound}"
        for names, bounds, _ in rows(DEPENDENCIES, "What it depends on")
        for name, bound in zip(re.sub(r" \(.*\)", "", names).split(", "), bounds.split(", "), strict=True)
    }
    assert result == {bound.partition(",")[0] for bound in _required("REQUIRED") + _required("EMBEDDED")}


def _required(name: str) -> list[str]:
    for node in ast.parse(text_of(ROOT / "setup.py")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return [re.split("[,;]", str(ast.literal_eval(item)))[0] for item in node.value.elts]
    raise AssertionError(f"setup.py has no {name}")


def test_the_python_that_is_needed_is_the_one_of_the_setup():
    (needed,) = re.findall(r'python_requires=">=([\d.]+)"', text_of(ROOT / "setup.py"))
    assert f"needs Python {needed} or newer" in README.replace("\n", " ")


def test_the_extras_in_the_commands_exist():
    named = set(re.findall(r'-e "\.\[(\w+)\]"', README))
    assert named == {"embedded", "test"}
    assert all(f'"{extra}": ' in text_of(ROOT / "setup.py") for extra in named)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 200


def test_requirements_install_the_package_with_its_demo():
    lines = [line for line in text_of(ROOT / "requirements.txt").splitlines() if not line.startswith("#")]
    assert lines == [".[embedded]"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with ExampleDemo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: f"{asked.method} {asked.path} {len(asked.body or b'')}")
def test_a_check_in_the_readme_works_with_the_demo(asked, demo):
    response = demo.ask(asked)
    assert response.status_code == 200, response.text
    assert "error" not in response.text
    assert len(ASKED) == 4

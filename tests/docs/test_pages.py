"""Pages lead where they say: links, anchors, commands, files."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner
from support.pages import PAGES, ROOT, anchors, blocks, links, text_of

from flask_shim import __version__
from flask_shim.cli import COMMANDS, cli

NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name):
    page = ROOT / name
    for link in links(text_of(page)):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(text_of(target)), link


@pytest.mark.parametrize("name", NAMES)
def test_every_command_on_a_page_exists(name):
    shown = {block.text for block in blocks(text_of(ROOT / name)) if block.kind in ("bash", "powershell", "")}
    asked = {word for text in shown for word in re.findall(r"\bflask-shim +([a-z]\S*)", text)}
    asked |= set(re.findall(r"`flask-shim +([a-z][\w-]*)[^`]*`", text_of(ROOT / name)))
    assert asked <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: cli {command}")


def test_the_changelog_has_the_current_version():
    assert f"\n## [{__version__}]" in text_of(ROOT / "CHANGELOG.md")


def test_what_a_page_quotes_in_grey_is_closed():
    for page in PAGES:
        assert text_of(page).count("\n```") % 2 == 0, page


@pytest.mark.parametrize("name", NAMES)
def test_powershell_on_a_page_is_valid(name):
    grammar = pytest.importorskip("tree_sitter_powershell")
    tree_sitter = pytest.importorskip("tree_sitter")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    shown = [block.text for block in blocks(text_of(ROOT / name)) if block.kind == "powershell"]
    assert [text for text in shown if parser.parse(text.encode()).root_node.has_error] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_bash_on_a_page_is_valid(name):
    shown = "".join(block.text for block in blocks(text_of(ROOT / name)) if block.kind == "bash")
    checked = subprocess.run(["bash", "-n"], input=shown, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr

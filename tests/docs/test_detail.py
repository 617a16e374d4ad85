"""The documentation of the modules is the one in the modules."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool():
    return runpy.run_path(str(ROOT / "tools" / "module_map.py"))


def test_the_map_of_the_modules_is_in_step_with_the_code(tool):
    page = (ROOT / "docs" / "DETAIL.md").read_text(encoding="utf-8")
    assert tool["in_page"](page, ROOT) == page, "run python tools/module_map.py"


def test_every_package_has_a_place_in_the_map(tool, tmp_path):
    assert tool["packages"](ROOT) == list(tool["SUBJECTS"])
    (tmp_path / "flask_shim" / "new").mkdir(parents=True)
    (tmp_path / "flask_shim" / "new" / "__init__.py").touch()
    with pytest.raises(KeyError):
        tool["packages"](tmp_path)

"""The documentation of the modules is the one in the modules."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_map_of_the_modules_is_in_step_with_the_code():
    in_page = runpy.run_path(str(ROOT / "tools" / "module_map.py"))["in_page"]
    page = (ROOT / "docs" / "DETAIL.md").read_text(encoding="utf-8")
    assert in_page(page, ROOT) == page, "run python tools/module_map.py"

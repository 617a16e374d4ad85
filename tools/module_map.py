"""Write the map of the modules into docs/DETAIL.md, from their docstrings.

python tools/module_map.py        from the top of the checkout
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

OPENING, CLOSING = "<!-- modules -->", "<!-- /modules -->"

SUBJECTS = {
    "flask_shim": "the application",
    "flask_shim/routes": "one function per route: check, translate, call, answer",
    "flask_shim/schemas": "what clients may send",
    "flask_shim/translate": "one protocol's words into another's; pure",
    "flask_shim/openapi": "the description of the API, and the page that shows it",
    "flask_shim/lmstudio": "the client for LM Studio, usable by itself",
    "flask_shim/serving": "starting and stopping",
    "flask_shim/settings": "the settings behind config.py",
    "flask_shim/cli": "the command line",
    "flask_shim/doctor": "what is wrong between a client and LM Studio, and what to do",
    "flask_shim/deploy": "configuration for front proxies, service managers and containers",
    "flask_shim/embedded": "the miniature LM Studio of the demo and the tests",
}
"""What each package is about, in the order of the map."""


def packages(root: Path) -> list[str]:
    """Return every package there is, in the order of the map; KeyError for one without a subject."""
    order = {package: place for place, package in enumerate(SUBJECTS)}
    found = (path.parent.relative_to(root).as_posix() for path in (root / "flask_shim").rglob("__init__.py"))
    return sorted(found, key=lambda package: order[package])


def summary(path: Path) -> str:
    """Return the first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace(":func:", "").replace("``", "`")


def lines(root: Path) -> Iterator[str]:
    """Yield the Markdown of the map."""
    for package in packages(root):
        yield f"\n### `{package}/`: {SUBJECTS[package]}\n"
        yield "| Module | Subject |\n| --- | --- |"
        for path in sorted((root / package).glob("*.py")):
            yield f"| `{path.name}` | {summary(path)} |"


def in_page(page: str, root: Path) -> str:
    """Return the page with the map between its marks made anew."""
    before, opening, rest = page.partition(OPENING)
    after = rest.partition(CLOSING)[2]
    return f"{before}{opening}\n" + "\n".join(lines(root)) + f"\n\n{CLOSING}{after}"


if __name__ == "__main__":
    target = Path("docs") / "DETAIL.md"
    target.write_text(in_page(target.read_text(encoding="utf-8"), Path()), encoding="utf-8", newline="\n")

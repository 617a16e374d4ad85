"""Print the lowest version allowed of everything the package and its engine need, as constraints for pip.

    python tools/lowest.py > lowest.txt
    pip install -c lowest.txt ".[embedded]"

What only tests need is not held down. Where a lower bound has no release for the running Python, pip says so.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

LOWER_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?[^;]*?>=\s*(?P<version>[0-9][^\s,;]*)")


def lowest(requirement: str) -> str:
    """Return ``name==version`` for a requirement with a lower bound; raise ValueError for one without."""
    match = LOWER_BOUND.match(requirement)
    if match is None:
        raise ValueError(f"no lower bound: {requirement}")
    return f"{match['name']}=={match['version']}"


def needed() -> list[str]:
    """Return what the package needs by itself and with its engine, from its installed metadata."""
    lines = metadata.requires("flask-shim") or []
    return [line for line in lines if "extra ==" not in line or line.endswith('extra == "embedded"')]


if __name__ == "__main__":
    sys.stdout.writelines(f"{lowest(line)}\n" for line in needed())

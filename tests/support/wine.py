"""Tell the Windows Python under Wine from one on Windows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def _is_wine() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


IS_WINE = _is_wine()

SLOWNESS = 3 if IS_WINE else 1
"""How much longer a test waits for something that is to happen: Wine starts processes slowly."""


def not_on_wine(reason: str) -> pytest.MarkDecorator:
    """Skip a test that fails only through a fault of Wine; ``reason`` names the fault."""
    import pytest  # absent where tools/try_installed.py uses the rest of this folder

    return pytest.mark.skipif(IS_WINE, reason=f"Wine: {reason}")

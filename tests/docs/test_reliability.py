"""The page on reliability names settings that exist."""

from __future__ import annotations

import re

from support.pages import ROOT, text_of

from flask_shim.config import SETTINGS


def test_every_setting_that_is_named_exists():
    known = {name for setting in SETTINGS for name in setting.names}
    assert set(re.findall(r"\bSHIM_[A-Z_]+", text_of(ROOT / "docs" / "RELIABILITY.md"))) <= known

"""What the page on troubles quotes is what the shim says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.texts import says

from flask_shim.config import SETTINGS

PAGE = (Path(__file__).parents[2] / "docs" / "TROUBLESHOOTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_quoted_texts_are_those_of_the_shim(text):
    assert says(text)


def test_another_text_would_be_noticed():
    assert not says("model '...' is lost")
    assert not says("anything")


def test_every_variable_on_the_page_is_a_setting():
    known = {name for setting in SETTINGS for name in setting.names} | {"SHIM_ENV_FILE"}
    assert set(re.findall(r"\bSHIM_[A-Z_]+\b", PAGE)) <= known

"""Fixtures: one LM Studio for a whole folder, calm before and after each test. A conftest.py imports both."""

from __future__ import annotations

import pytest

from support.studio import Studio


@pytest.fixture(scope="package")
def one_studio():
    with Studio() as studio:
        yield studio


@pytest.fixture
def studio(one_studio):
    one_studio.calm()
    yield one_studio
    one_studio.calm()

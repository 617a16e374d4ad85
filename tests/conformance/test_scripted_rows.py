"""Every row about an answer that no tiny model gives, against a shim before a scripted backend."""

from __future__ import annotations

import pytest
from conformance.comparison import compare
from conformance.scripted_answers import scripted_lmstudio
from conformance.table import SCRIPTED
from support.demo import Shim
from support.raw_http import exchange


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    with scripted_lmstudio() as backend, Shim(backend.url, tmp_path_factory.mktemp("scripted")) as shim:
        yield shim


@pytest.mark.parametrize("row", SCRIPTED, ids=[f"{row.section} {row.name}" for row in SCRIPTED])
def test_the_answer_is_ollamas(row, shim):
    compare(exchange(shim.port, row.method, row.path, row.body, row.headers), row)

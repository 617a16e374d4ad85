"""Every row of the table, against a running shim."""

from __future__ import annotations

import pytest
from conformance.comparison import compare
from conformance.table import ROWS


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.section} {row.name}" for row in ROWS])
def test_the_answer_is_ollamas(row, ask):
    for method, path, body in row.before:
        assert ask(method, path, body).status < 300
    compare(ask(row.method, row.path, row.body, row.headers), row)

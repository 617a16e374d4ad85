"""A pytest plugin that records each test in a file, and leaves out the tests that the file already names.

A test that hangs ends the whole process of pytest. The next process, with the same file, goes on behind that test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RECORD = Path(os.environ["TEST_RECORD"])


def _write(test: str, **facts: Any) -> None:
    with RECORD.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"test": test} | facts) + "\n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what has been started before."""
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    started = {json.loads(line)["test"] for line in lines}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in started])
    items[:] = [item for item in items if item.nodeid not in started]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Record that a test starts."""
    _write(item.nodeid, outcome="started")
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record what became of a phase of a test; setup and teardown only if they decide the outcome."""
    if report.when == "call" or report.outcome != "passed":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
        _write(report.nodeid, outcome=report.outcome, seconds=round(report.duration, 2), reason=reason)

"""The log as it would be written, line by line."""

from __future__ import annotations

import logging
import re

import pytest

from flask_shim.observability.logs import OneLine
from flask_shim.observability.request_context import enter


@pytest.fixture(autouse=True)
def _outside_of_requests():
    """Forget the last request that another test answered in this thread."""
    enter(None)


class Lines(logging.Handler):
    """Keeps every record as the log would write it."""

    def __init__(self):
        super().__init__()
        self.setFormatter(OneLine(["key-of-a-client"]))
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))

    @property
    def ends(self):
        """The lines about requests that are over."""
        return [line for line in self.lines if " flask_shim.observability.access_log " in line]

    @property
    def facts(self):
        """The only such line, as a dictionary."""
        (line,) = self.ends
        found = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)
        return {"level": line.split()[1], **dict(found)}


@pytest.fixture
def written():
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)

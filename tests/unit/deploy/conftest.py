"""A runner that records its calls in place of running programs."""

from __future__ import annotations

import pytest

from flask_shim.deploy.service.steps import Result


class Recorder:
    """Answers each program by the beginning of its command line, 0 and nothing by default."""

    def __init__(self):
        self.calls = []
        self.answers = {}

    def __call__(self, words):
        line = " ".join(words)
        self.calls.append(line)
        return next((answer for start, answer in self.answers.items() if line.startswith(start)), Result(0, ""))


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def perform(recorder):
    """Return a function that performs steps with the recorder, and returns the command lines."""

    def performed(steps):
        recorder.calls.clear()
        for step in steps:
            step.perform(recorder)
        return recorder.calls

    return performed

"""Answers to judge, made by hand."""

from __future__ import annotations

import json

import pytest

from flask_shim.doctor.probe import ProbeResponse

JSON_TYPE = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture
def response():
    """Return a function that makes a whole answer with that body."""

    def answer(body=b"", status=200, **more):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ProbeResponse(**{"status": status, "headers": JSON_TYPE, "body": data, **more})

    return answer


@pytest.fixture
def levels():
    """Return a function that tells the level of every finding by its code."""
    return lambda findings: {finding.code: finding.level.value for finding in findings}

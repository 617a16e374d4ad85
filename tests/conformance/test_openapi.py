"""Requests made up from the description of Ollama's API: every answer is as described, whatever is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("schemathesis", reason="the test extra is not installed")

import schemathesis
from conformance.scripted_answers import scripted_lmstudio
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from support.demo import Shim

pytest_plugins = ["schemathesis.pytest.plugin"]  # switched off for all other tests: its import takes a second

DESCRIPTION = Path(__file__).with_name("ollama.openapi.yaml")
TIMEOUT_SECONDS = 10.0

KNOWN_500 = re.compile(
    r'option "\w+" must be of |invalid format: |template: :\d+: |json: cannot unmarshal |pull model manifest: '
    r"|model .* not found; pull it first",
    re.S,
)
"""What Ollama has a 500 for, too."""

SCRIPTED_FAILURE = re.compile("mid boom|boom inside|.*ended before its answer was complete", re.S)
"""The error that the backend answers with."""


NO_INTEGER = re.compile(r'"(\w+_duration|\w+_count|\w*size\w*|total|completed|created|index)":-?\d+[.eE]')
"""Counts that strict clients cannot read; JSON Schema takes 1.0 for an integer."""

FAILURES = {500: KNOWN_500, 502: SCRIPTED_FAILURE}


@schemathesis.deserializer("application/x-ndjson")
def lines(ctx, response):
    """Read an NDJSON stream as the list of its lines."""
    return [json.loads(line) for line in response.content.decode().splitlines()]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with scripted_lmstudio() as backend, Shim(backend.url, tmp_path_factory.mktemp("described")) as shim:
        yield shim.url


def described(examples, *phases, modes):
    """Return what makes a test of one for every operation, with that many examples of those kinds."""
    schema = schemathesis.openapi.from_path(DESCRIPTION)
    schema.config.phases.update(phases=list(phases))
    schema.config.generation.modes = modes
    bounded = settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    return lambda test: schema.parametrize()(bounded(test))


def check(case, url):
    response = case.call(base_url=url, timeout=TIMEOUT_SECONDS)
    assert "<html" not in response.text.lower()
    assert not NO_INTEGER.search(response.text), response.text
    if response.status_code in FAILURES:
        assert FAILURES[response.status_code].match(response.json()["error"]), response.text
    case.validate_response(response, checks=AS_DESCRIBED)


AS_DESCRIBED = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]


@described(100, "fuzzing", modes=[GenerationMode.POSITIVE])
def test_a_sound_request_is_answered_as_described(case, url):
    check(case, url)


@described(15, "coverage", "fuzzing", modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_any_request_is_answered_as_described(case, url):
    check(case, url)

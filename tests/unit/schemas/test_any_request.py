"""Whatever is sent, a request becomes an ask or an error of ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_shim.errors import ShimError
from flask_shim.schemas import ollama_requests as schemas

LOADERS = [getattr(schemas, name) for name in vars(schemas) if name.startswith("load_")]

FIELDS = (
    *("model", "name", "messages", "tools", "options", "keep_alive", "think", "format", "images", "input", "context"),
    *("license", "files", "role", "content", "tool_calls", "function", "arguments", "parameters", "properties", "type"),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NESTED = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner | st.lists(inner, max_size=2)),
    max_leaves=12,
)


@pytest.mark.parametrize("load", LOADERS)
@settings(deadline=None, max_examples=30)
@given(body=st.dictionaries(st.sampled_from(FIELDS), NESTED, max_size=6))
def test_any_object_is_an_ask_or_an_error_of_ours(load, body):
    assert outcome(load, json.dumps(body).encode())


@pytest.mark.parametrize("load", LOADERS)
@settings(deadline=None, max_examples=30)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_an_ask_or_an_error_of_ours(load, body):
    assert outcome(load, body)


def outcome(load, body: bytes) -> object:
    try:
        return load(body)
    except ShimError as error:
        return error.text

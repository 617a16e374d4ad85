"""Paths are cleaned to what is meant."""

from __future__ import annotations

import pytest

from flask_shim.middleware.paths import clean_path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/api/tags", "/api/tags"),
        ("/", "/"),
        ("", "/"),
        ("api/tags", "/api/tags"),
        ("//", "/"),
        ("//api/tags", "/api/tags"),
        ("/api///tags/", "/api/tags/"),
        ("/v1/api/chat", "/api/chat"),
        ("/v1//api/chat", "/api/chat"),
        ("/v1/apis", "/v1/apis"),
        ("/v1/models/a.b", "/v1/models/a.b"),
        ("/v1/models/.hidden", "/v1/models/.hidden"),
        ("/v1/x/../models", "/v1/models"),
        ("/v1/../api/v1/models/load", "/api/v1/models/load"),
        ("/../../api/tags", "/api/tags"),
        ("/v1/models/./", "/v1/models/"),
        ("/v1/..", "/"),
    ],
)
def test_a_path_is_cleaned_to_what_is_meant(path, meant):
    assert clean_path(path) == meant

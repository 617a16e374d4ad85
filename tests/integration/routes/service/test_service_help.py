"""The service tells which routes it has."""

from __future__ import annotations

import pytest

PROMISED = [
    *(("GET", path) for path in ("/health", "/help", "/models")),
    *(("POST", path) for path in ("/models/load", "/models/unload")),
    *(("POST", f"/chat{which}{stream}") for which in ("", "/regular", "/vision") for stream in ("", "/stream")),
]


@pytest.fixture
def body(client):
    return client.get("/help").json


def test_help_lists_every_route_and_no_other(body):
    assert sorted((one["method"], one["path"]) for one in body["endpoints"]) == sorted(PROMISED)


def test_help_describes_each_route(body):
    assert all(one["description"].endswith(".") for one in body["endpoints"])
    assert len({one["description"] for one in body["endpoints"]}) == len(PROMISED)


def test_help_and_health_need_no_lm_studio(client, backend):
    assert client.get("/health").json == {"status": "ok"}
    assert client.get("/help").status_code == 200
    assert backend.asked == []

"""What a client remembers of the routes its backend lacks."""

from __future__ import annotations

import pytest
from support.answers import by_path, model, replies

from flask_shim.errors import ShimError
from flask_shim.lmstudio import catalogue
from flask_shim.lmstudio.catalogue import PROBE_SECONDS

PATH = "/v1/responses"


@pytest.fixture
def lists(socket_server):
    return socket_server(by_path({"/api/v1/models": replies({"models": [model()]})}))


def test_a_route_is_missing_once_it_was_said_to_be(lists, client_of):
    found = client_of(lists.url).catalogue
    assert not found.lacks(PATH)
    found.note_missing(PATH)
    assert found.lacks(PATH)
    assert not found.lacks("/v1/messages")


def test_a_missing_route_may_be_there_some_minutes_later(lists, client_of, clock, monkeypatch):
    monkeypatch.setattr(catalogue, "time", clock)
    found = client_of(lists.url).catalogue
    found.note_missing(PATH)
    clock.pass_(PROBE_SECONDS + 1)
    assert not found.lacks(PATH)


def test_a_missing_route_may_be_there_when_the_backend_was_away(lists, client_of):
    found = client_of(lists.url).catalogue
    found.note_missing(PATH)
    found.lost()
    assert not found.lacks(PATH)


def test_a_missing_route_may_be_there_when_no_list_could_be_had(lists, client_of):
    found = client_of(lists.url).catalogue
    found.note_missing(PATH)
    lists.stop()
    with pytest.raises(ShimError):
        found.listing()
    assert not found.lacks(PATH)


def test_a_new_list_does_not_bring_back_a_missing_route(lists, client_of):
    found = client_of(lists.url).catalogue
    found.note_missing(PATH)
    found.expire()
    found.listing()
    assert found.lacks(PATH)

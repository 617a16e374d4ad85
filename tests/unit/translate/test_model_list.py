"""OpenAI's list of models is LM Studio's with what clients require, and the aliases."""

from __future__ import annotations

import json

import pytest

from flask_shim.translate.openai.model_list import complete_models

ITEMS = [{"id": "mine:latest"}, {"id": "tiny:latest"}]
OWN = [{"id": "tiny", "created": 7}]


def test_a_model_list_gets_the_names_it_lacks():
    body = {"data": [{"id": "tiny", "object": "model"}, {"id": "tiny:2"}], "object": "list"}
    assert json.loads(complete_models(json.dumps(body).encode(), ITEMS, OWN)) == {
        "data": [
            {"created": 7, "id": "tiny", "object": "model"},
            {"created": 0, "id": "tiny:2"},
            {"id": "mine:latest"},
        ],
        "object": "list",
    }


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"3", b'{"data": null}', b'{"data": [1]}', b'{"data": [{}]}'])
def test_what_is_no_model_list_stays_as_it_is(data):
    assert complete_models(data, ITEMS, OWN) == data

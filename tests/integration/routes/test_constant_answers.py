"""Answers that never change are sent without Flask, and look as if it had sent them."""

from __future__ import annotations

import pytest
from support.apps import guarded

from flask_shim.observability.access_log import recorder_of
from flask_shim.routes import CONSTANT


@pytest.mark.parametrize("path", CONSTANT)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_constant_answer_is_that_of_its_route(path, method, monkeypatch):
    app, _ = guarded()
    records = []
    recorder_of(app).observers.append(records.append)
    constant = app.test_client().open(path, method=method, buffered=True)
    monkeypatch.setattr(type(app), "_constant_answers", {})
    routed = app.test_client().open(path, method=method, buffered=True)
    assert (constant.status, constant.data, constant.mimetype) == (routed.status, routed.data, routed.mimetype)
    assert set(constant.headers.keys()) == set(routed.headers.keys())
    assert [record.route for record in records] == [path, path]


def test_other_methods_of_such_a_path_reach_flask():
    app, _ = guarded()
    assert app.test_client().post("/health").status_code == 405

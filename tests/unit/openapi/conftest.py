"""The description of an application whose backend is not needed, and a way to hold values against it."""

from __future__ import annotations

import pytest
from openapi_schema_validator import OAS31Validator
from support.apps import guarded


@pytest.fixture(scope="session")
def app():
    app, _ = guarded()
    return app


@pytest.fixture(scope="session")
def document(app):
    return app.test_client().get("/openapi.json").get_json()


@pytest.fixture(scope="session")
def fits(document):
    """Return a function that tells whether a value fits a schema of the document."""
    return lambda schema, value: OAS31Validator({**schema, "components": document["components"]}).is_valid(value)

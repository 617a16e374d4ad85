"""The description tells of everything that runs, and of nothing else."""

from __future__ import annotations

import re

import pytest
from marshmallow import ValidationError
from openapi_spec_validator import validate
from support.apps import guarded

from flask_shim import openapi
from flask_shim.openapi.field_schemas import OWN_WORDS, SHAPES, WORDS, component_name
from flask_shim.openapi.operations import OPERATIONS
from flask_shim.schemas import go_fields, ollama_requests, v1_requests
from flask_shim.schemas.ollama_fields import FormatValue, KeepAlive

STRUCTS = (go_fields.GoList, go_fields.GoObject, go_fields.OrderedMap)
ABSTRACT = (go_fields.GoField, go_fields.GoUnmarshaler)
VALUES = (True, 1, 1.5, [], {}, ["eA=="], [{}], {"x": "y"}, {"x": 1}, "high")
SCHEMAS = [
    schema
    for module in (ollama_requests, v1_requests)
    for schema in vars(module).values()
    if isinstance(schema, type) and issubclass(schema, go_fields.GoSchema) and hasattr(schema, "struct")
]


def operations(document):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def in_braces(rule):
    return re.sub(r"<(?:[a-z]+:)?([a-z]+)>", r"{\1}", rule)


def kinds_of(kind):
    return {kind}.union(*map(kinds_of, kind.__subclasses__()))


def test_every_rule_is_described_with_all_its_methods(app, document):
    ruled = {
        f"{method} {in_braces(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"OPTIONS"}
        if not (method == "HEAD" and "GET" in rule.methods)
    }
    assert ruled <= operations(document).keys()


def test_nothing_is_described_that_no_rule_answers(app, document):
    adapter = app.url_map.bind("localhost")
    for name in operations(document):
        method, _, path = name.partition(" ")
        assert adapter.test(path, method), name


def test_the_table_has_every_operation_and_no_other(document):
    assert set(map(in_braces, OPERATIONS)) == operations(document).keys()


@pytest.mark.parametrize("settings", [{}, {"api_keys": ("a-key",)}, {"metrics": False}])
def test_the_document_is_valid_openapi(settings):
    app, backend = guarded(**settings)
    answer = app.test_client().get("/openapi.json", headers={"Authorization": "Bearer a-key"})
    validate(answer.json)
    assert backend.touched == []


def test_route_without_a_description_uses_its_docstring():
    app, _ = guarded()

    def added():
        """Do something new: and more."""

    app.add_url_rule("/new/<thing>", "new", added, methods=["POST"])
    operation = app.test_client().get("/openapi.json").json["paths"]["/new/{thing}"]["post"]
    assert (operation["summary"], operation["description"]) == ("Do something new", "Do something new: and more.")


def test_the_document_is_made_once(monkeypatch):
    made = []
    describe = openapi.describe
    monkeypatch.setattr(openapi, "describe", lambda *arguments: made.append(1) or describe(*arguments))
    client = guarded()[0].test_client()
    assert client.get("/openapi.json").data == client.get("/openapi.json").data
    assert len(made) == 1


def test_every_field_of_a_request_has_a_shape():
    kinds = kinds_of(go_fields.GoField) - set(ABSTRACT)
    assert {kind for kind in kinds if not issubclass(kind, (*SHAPES, *STRUCTS))} == set()


@pytest.mark.parametrize("schema", SCHEMAS, ids=component_name)
def test_described_fields_take_what_the_schema_takes(document, fits, schema):
    described = document["components"]["schemas"][component_name(schema)]["properties"]
    for name, field in schema().load_fields.items():
        if isinstance(field, FormatValue):  # refused only once the model is loaded
            continue
        for value in ["5m" if isinstance(field, KeepAlive) and value == "high" else value for value in VALUES]:
            assert fits(described[field.data_key or name], value) == is_taken(field, value), (name, value)


def is_taken(field, value):
    try:
        field.deserialize(value)
    except ValidationError:
        return False
    return True


def test_descriptions_are_about_existing_fields(document):
    schemas = document["components"]["schemas"]
    fields_of = {name: set(shape.get("properties", ())) for name, shape in schemas.items()}
    assert WORDS.keys() <= set().union(*fields_of.values())
    assert {f"{name}.{field}" for name, found in fields_of.items() for field in found} >= OWN_WORDS.keys()


def test_examples_fit_their_schemas(document, fits):
    for name, operation in operations(document).items():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content.get("examples", {}).values():
                assert fits(content["schema"], example["value"]), name


def test_whatever_takes_a_body_of_its_own_has_an_example(document):
    bare = {
        name
        for name, operation in operations(document).items()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "examples" not in content
    }
    assert bare == {
        "POST /v1/{rest}",
        "POST /api/v0/{rest}",
        "POST /api/v1/{rest}",
        "POST /v1/audio/transcriptions",
        "POST /v1/audio/speech",
    }


def test_key_is_described_where_it_is_required():
    client = guarded(api_keys=("a-key",))[0].test_client()
    document = client.get("/openapi.json", headers={"Authorization": "Bearer a-key"}).json
    assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
    assert document["security"] == [{"key": []}]
    for name, operation in operations(document).items():
        method, _, path = name.partition(" ")
        asks = client.open(path, method=method).status_code == 401
        assert asks == (operation.get("security") != []), name

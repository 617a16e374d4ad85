"""References in a schema become what they refer to; recursive ones stay, with their definitions."""

from __future__ import annotations

import json

import pytest

from flask_shim.translate.schema_refs import MAX_NODES, inline_refs

TEXT = {"type": "string"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
KEPT = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}

CASES = {
    "definition": ({"items": {"$ref": "#/$defs/A"}, "$defs": {"A": TEXT}}, {"items": TEXT}),
    "draft 7": ({"items": {"$ref": "#/definitions/A"}, "definitions": {"A": TEXT}}, {"items": TEXT}),
    "root": ({"$ref": "#/$defs/A", "$defs": {"A": TEXT}}, TEXT),
    "keywords beside it": (
        {"items": {"$ref": "#/$defs/A", "description": "x"}, "$defs": {"A": TEXT}},
        {"items": {"type": "string", "description": "x"}},
    ),
    "chain": (
        {"items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"$ref": "#/$defs/B"}, "B": TEXT}},
        {"items": TEXT},
    ),
    "place": (
        {"properties": {"a": TEXT, "b": {"$ref": "#/properties/a"}}},
        {"properties": {"a": TEXT, "b": TEXT}},
    ),
    "escaped name, index": (
        {"anyOf": [{"$ref": "#/$defs/a~1b%20c/anyOf/1"}], "$defs": {"a/b c": {"anyOf": [{}, TEXT]}}},
        {"anyOf": [TEXT]},
    ),
    "value, no schema": ({"const": {"$ref": "#/$defs/A"}, "$defs": {"A": TEXT}}, {"const": {"$ref": "#/$defs/A"}}),
    "recursive": (
        {"items": {"$ref": "#/$defs/Node"}, "$defs": {"Node": NODE}},
        {"items": KEPT, "$defs": {"Node": KEPT}},
    ),
    "recursive root": (
        {"properties": {"c": {"$ref": "#"}}},
        {
            "properties": {"c": {"$ref": "#/$defs/root"}},
            "$defs": {"root": {"properties": {"c": {"$ref": "#/$defs/root"}}}},
        },
    ),
    "endless": ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, None),
    "nowhere": ({"items": {"$ref": "#/$defs/Z"}}, {"items": {"$ref": "#/$defs/Z"}}),
    "elsewhere": ({"items": {"$ref": "https://a.test/s"}}, {"items": {"$ref": "https://a.test/s"}}),
    "no text": ({"properties": {"$ref": TEXT}}, {"properties": {"$ref": TEXT}}),
}


@pytest.mark.parametrize(("schema", "inlined"), CASES.values(), ids=CASES.keys())
def test_references_are_replaced_where_that_ends(schema, inlined):
    found = inline_refs(schema)
    assert found == inlined if inlined is not None else "$defs" in found


def test_definitions_that_double_the_schema_stay_definitions():
    both = {f"n{at}": {"anyOf": [{"$ref": f"#/$defs/n{at + 1}"}] * 2} for at in range(40)}
    found = json.dumps(inline_refs({"$ref": "#/$defs/n0", "$defs": {**both, "n40": TEXT}}))
    assert found.count("{") < 3 * MAX_NODES
    assert '"n40"' in found


def test_deep_schemas_end_in_one_that_allows_anything():
    schema = TEXT
    for _ in range(400):
        schema = {"items": schema}
    assert json.dumps(inline_refs(schema)).count("items") == 101

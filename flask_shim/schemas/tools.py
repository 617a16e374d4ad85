"""Tool definitions: checked as far as Ollama's types go, handed on as the client wrote them.

Only the documented keys of a tool and its function pass, and every tool is a function, as it is for Ollama: a type
like ``mcp`` never gets further. Inside ``parameters`` everything passes, also the keywords Ollama drops (``default``,
``minimum``, ``$ref`` ...): LM Studio understands them, and models do better with them.
"""

from __future__ import annotations

from typing import Any

from flask_shim.schemas.go_fields import GoField, GoList, GoObject, GoSchema, GoString
from flask_shim.schemas.json_body import kind
from flask_shim.schemas.unmarshal_errors import NO_OBJECT, Fault, failure, refusal


class Properties(GoField[dict[str, Any]]):
    """The properties of the parameters: objects whose ``type`` is a word or a list of words."""

    def __init__(self) -> None:
        super().__init__(load_default=dict)

    def from_json(self, value: Any) -> dict[str, Any]:
        """Take an object of such objects."""
        if not isinstance(value, dict):
            raise refusal(NO_OBJECT)
        for schema in value.values():
            _refuse_odd(schema)
        return value


def _refuse_odd(schema: Any) -> None:
    if schema is None:
        return
    if not isinstance(schema, dict):
        raise failure(Fault(value=kind(schema), go_type="api.ToolProperty", is_final=True))
    given = schema.get("type")
    if not isinstance(given, (str, list, type(None))):
        raise failure(Fault(value=kind(given), go_type="[]string", path=("type",), is_final=True))


class ParametersSchema(GoSchema):
    """The outline of a tool's JSON schema."""

    struct = "ToolFunctionParameters"

    type = GoString()
    required = GoList(GoString(), "[]string")
    properties = Properties()


class Parameters(GoObject[dict[str, Any]]):
    """A JSON schema, returned as it was given once its outline is known to be right."""

    def __init__(self) -> None:
        super().__init__(ParametersSchema(), dict, "api.ToolFunctionParameters", load_default=None)

    def from_json(self, value: Any) -> dict[str, Any]:
        """Take an object, with everything in it."""
        super().from_json(value)
        return dict(value)


class FunctionSchema(GoSchema):
    """The function a tool is."""

    struct = "ToolFunction"

    name = GoString()
    description = GoString(None)
    parameters = Parameters()


def _function(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class ToolSchema(GoSchema):
    """One tool."""

    struct = "Tool"

    type = GoString()
    function = GoObject(FunctionSchema(), _function, "api.ToolFunction")


def _tool(type: str, function: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, ARG001  # the field is called so
    return {"type": "function", "function": function}


def tools() -> GoList:
    """Return the field that takes a list of tools; each has a type and a function with a name, perhaps an empty one."""
    return GoList(GoObject(ToolSchema(), _tool, "api.Tool"), "api.Tools")

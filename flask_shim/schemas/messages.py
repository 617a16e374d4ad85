"""The messages of Ollama's routes, as clients send them."""

from __future__ import annotations

from typing import Any

from flask_shim.schemas.go_fields import GoField, GoInt, GoList, GoObject, GoSchema, GoString, LowerCase, OwnReader
from flask_shim.schemas.ollama_fields import schema_of
from flask_shim.schemas.unmarshal_errors import NO_OBJECT, refusal
from flask_shim.translate.ollama.requests import Message, ToolCall


class Arguments(GoField[dict[str, Any]]):
    """The arguments of a call: an object, never JSON in a string as in OpenAI's API."""

    zero = dict

    def _read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal(NO_OBJECT)
        return value


class ToolCallFunctionSchema(GoSchema):
    """A function and its arguments."""

    struct = "ToolCallFunction"

    index = GoInt()
    name = GoString()
    arguments = Arguments()


class ToolCallSchema(GoSchema):
    """A call in the history; OpenAI's ``type`` is ignored."""

    struct = "ToolCall"

    id = GoString()
    function: GoObject[dict[str, Any]] = GoObject(ToolCallFunctionSchema(), dict, "api.ToolCallFunction")


def _tool_call(id: str, function: dict[str, Any]) -> ToolCall:  # noqa: A002  # the name of the field
    return ToolCall(name=function["name"], arguments=function["arguments"], id=id)


MessageSchema = schema_of(
    Message,
    "Alias",
    role=LowerCase(),
    tool_calls=GoList(GoObject(ToolCallSchema(), _tool_call, "api.ToolCall"), "[]api.ToolCall"),
)
"""One message. Content is a string: OpenAI's lists of parts are rejected."""


def messages() -> GoList:
    """Return the field for a list of messages."""
    return GoList(OwnReader(MessageSchema(), Message, "api.Alias"), "[]api.Message")

"""The turns of a conversation, as clients send them."""

from __future__ import annotations

from typing import Any

from flask_shim.schemas.go_fields import GoField, GoInt, GoList, GoObject, GoSchema, GoString, OwnReader
from flask_shim.schemas.ollama_fields import Image
from flask_shim.schemas.unmarshal_errors import NO_OBJECT, refusal
from flask_shim.translate.ollama.requests import Message, ToolCall


class Arguments(GoField[dict[str, Any]]):
    """The arguments of a call: an object whose order counts, never OpenAI's JSON in a string."""

    def __init__(self) -> None:
        super().__init__(load_default=dict)

    def from_json(self, value: Any) -> dict[str, Any]:
        """Take an object."""
        if not isinstance(value, dict):
            raise refusal(NO_OBJECT)
        return value


class ToolCallFunctionSchema(GoSchema):
    """Which function was called with what."""

    struct = "ToolCallFunction"

    index = GoInt()
    name = GoString()
    arguments = Arguments()


class ToolCallSchema(GoSchema):
    """A call the model made earlier; OpenAI's ``type`` is ignored."""

    struct = "ToolCall"

    id = GoString()
    function: GoObject[dict[str, Any]] = GoObject(ToolCallFunctionSchema(), dict, "api.ToolCallFunction")


def _tool_call(id: str, function: dict[str, Any]) -> ToolCall:  # noqa: A002  # the field is called so
    return ToolCall(name=function["name"], arguments=function["arguments"], id=id)


class MessageSchema(GoSchema):
    """One turn. Only strings are content: OpenAI's lists of parts are refused."""

    struct = "Alias"

    role = GoString()
    content = GoString()
    thinking = GoString()
    images = GoList(Image(), "[]api.ImageData")
    tool_calls = GoList(GoObject(ToolCallSchema(), _tool_call, "api.ToolCall"), "[]api.ToolCall")
    tool_name = GoString()
    tool_call_id = GoString()


def _message(role: str, **rest: Any) -> Message:
    return Message(role=role.lower(), **rest)


def messages() -> GoList:
    """Return the field that takes a conversation."""
    return GoList(OwnReader(MessageSchema(), _message, "api.Alias"), "[]api.Message")

"""Fill in what LM Studio omits from its own answers on /v1/responses.

LM Studio 0.4 omits fields that are required by OpenAI's specification. Without them `openai`'s stream helpers and the
AI SDK fail: ``sequence_number``, ``output_index``, ``content_index``, most of the response object, and
``response.function_call_arguments.done``. Events and objects that are complete are not changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.answer.encoder import DATA, EVENT, named_event
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.openai.chat_completions import adapt, uses_mcp
from flask_shim.translate.openai.response_object import response_object
from flask_shim.translate.openai.responses_request import ResponsesRequest

_OWN_ID = re.compile(r"resp_\d{1,15}")
"""An id that the encoder made; LM Studio's have 48 hexadecimal digits."""

_ITEM_DEFAULTS: Mapping[Any, Payload] = {
    "message": {"status": "completed", "role": "assistant", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"status": "completed", "arguments": ""},
}
_PART_DEFAULTS: Payload = {"annotations": [], "logprobs": []}
_USAGE_DETAILS: Payload = {
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}


def needs_backend_state(body: Mapping[str, Any]) -> bool:
    """Return whether only LM Studio itself can answer: with a response that it stores, or with its MCP tools."""
    previous = body.get("previous_response_id")
    continues = isinstance(previous, str) and previous != "" and not _OWN_ID.fullmatch(previous)
    return continues or body.get("store") is True or uses_mcp(body)


def adapt_native(body: Mapping[str, Any], model: Model) -> Payload:
    """Return the request without what LM Studio rejects, which includes an effort for a model that cannot think."""
    payload = adapt(body)
    if model.reasoning is Support.NO:
        payload.pop("reasoning", None)
    return payload


class ResponseCompleter:
    """Completes one answer, an object or a stream."""

    def __init__(self, request: ResponsesRequest, *, created_at: int) -> None:
        """``created_at`` is in Unix seconds."""
        self._request = request
        self._created_at = created_at
        self._sequence = 0
        self._items: list[Payload] = []
        self._arguments: dict[Any, str] = {}  # so far, by the ids of their calls
        self._complete_arguments: set[Any] = set()  # the ids of calls with an event that ends their arguments

    def complete_body(self, body: bytes) -> bytes:
        """Return the body of an answer that is not streamed; one that is no object is not changed."""
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        completed = self._complete_response(given) if isinstance(given, dict) else given
        return body if completed == given else orjson.dumps(completed)

    def complete_events(self, block: bytes) -> bytes:
        """Return the events of ``block``, which holds whole ones."""
        return b"".join(map(self._complete_block, EVENT.findall(block)))

    def _complete_block(self, block: bytes) -> bytes:
        try:
            given = orjson.loads(b"".join(DATA.findall(block)))
        except orjson.JSONDecodeError:
            return block  # a comment
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            return block
        completed = list(self._complete_event(given))
        return block if completed == [given] else b"".join(map(named_event, completed))

    def _complete_event(self, given: Payload) -> Iterator[Payload]:
        event, kind = dict(given), given["type"]
        if isinstance(event.get("response"), dict):
            event["response"] = self._complete_response(event["response"])
        elif kind == "response.output_item.added":
            event["item"] = _complete_item(event.get("item"))
            self._items.append(event["item"])
            event.setdefault("output_index", len(self._items) - 1)
        elif kind == "response.output_item.done":
            event["item"] = item = self._end_item(event.get("item"))
            event.setdefault("output_index", self._index_of(item.get("id")))
            if item.get("type") == "function_call" and item.get("id") not in self._complete_arguments:
                done = {
                    "item_id": item.get("id"),
                    "output_index": event["output_index"],
                    "arguments": item["arguments"],
                }
                yield self._number({"type": "response.function_call_arguments.done", **done})
        elif kind.startswith("response.") and self._items:
            self._complete_item_event(event, kind)
        yield self._number(event)

    def _complete_item_event(self, event: Payload, kind: str) -> None:
        item_id = event.setdefault("item_id", self._items[-1].get("id"))
        event.setdefault("output_index", self._index_of(item_id))
        if "reasoning_summary" in kind:
            event.setdefault("summary_index", 0)
        elif ".function_call_arguments." not in kind:
            event.setdefault("content_index", 0)
        if ".output_text." in kind:
            event.setdefault("logprobs", [])
        if isinstance(event.get("part"), dict):
            event["part"] = _complete_part(event["part"])
        if kind == "response.function_call_arguments.delta":
            self._arguments[item_id] = self._arguments.get(item_id, "") + str(event.get("delta") or "")
        elif kind == "response.function_call_arguments.done":
            self._arguments[item_id] = str(event.get("arguments") or "")
            self._complete_arguments.add(item_id)

    def _end_item(self, given: Any) -> Payload:
        """Return the completed item; LM Studio may send ``{}`` for arguments that its deltas held."""
        item = _complete_item(given)
        if item.get("type") == "function_call" and item["arguments"] in ("", "{}", None):
            item["arguments"] = self._arguments.get(item.get("id")) or "{}"
        if self._items:
            self._items[self._index_of(item.get("id"))] = item
        return item

    def _index_of(self, item_id: Any) -> int:
        """Return the index of an item, by default the last one's."""
        indexes = [index for index, item in enumerate(self._items) if item.get("id") == item_id]
        return indexes[0] if indexes else max(0, len(self._items) - 1)

    def _complete_response(self, given: Payload) -> Payload:
        defaults = response_object(
            self._request,
            response_id="",
            created_at=self._created_at,
            status="completed",
            output=list(self._items),
        )
        response = {**defaults, **given}
        if isinstance(response["output"], list):
            response["output"] = [_complete_item(item) for item in response["output"]]
        if isinstance(response["usage"], dict):
            response["usage"] = {**_USAGE_DETAILS, **response["usage"]}
        return response

    def _number(self, event: Payload) -> Payload:
        self._sequence += 1
        return {**event, "sequence_number": self._sequence - 1}


def _complete_item(given: Any) -> Payload:
    if not isinstance(given, dict):
        return {}
    item = {**_ITEM_DEFAULTS.get(given.get("type"), {}), **given}
    if isinstance(item.get("content"), list):
        item["content"] = [_complete_part(part) for part in item["content"]]
    return item


def _complete_part(part: Any) -> Any:
    return {**_PART_DEFAULTS, **part} if isinstance(part, dict) and part.get("type") == "output_text" else part

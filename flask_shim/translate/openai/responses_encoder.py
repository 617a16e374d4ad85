"""An answer in the shape of OpenAI's Responses: the events of its stream, or one object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.answer.named_events import Ending, named_event
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.records import WholeAnswer
from flask_shim.translate.openai.responses_request import ResponsesRequest


class ResponsesEncoder:
    """The answer to one ask. Its output items come in the order in which the model made them."""

    def __init__(self, request: ResponsesRequest, *, number: int, created_at: int) -> None:
        """Make all ids of ``number``, which should be used once; ``created_at`` is in Unix seconds."""
        self._ask = request
        self._number = number
        self._created_at = created_at
        self._sequence = 0
        self._output: list[Payload] = []
        self._said: list[str] = []
        self._kind = ""
        self._calls = 0

    def opening(self) -> bytes:
        """Return the events before the first piece."""
        response = self._response("in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def encode(self, pieces: Iterable[Piece]) -> bytes:
        """Return the events that these pieces make; what was sent as text stays text."""
        return b"".join(event for piece in pieces for event in self._piece(piece))

    def closing(self, ending: Ending, now: int) -> bytes:
        """Return the events that end the stream; an answer without words is an empty message."""
        last = list(self._close())
        if all(item["type"] == "reasoning" for item in self._output):
            last += [*self._open("text"), *self._close()]
        response = self._response("completed", ending, now)
        return b"".join(last) + self._event("response.completed", response=response)

    def failure(self, text: str) -> bytes:
        """Return the event that ends a stream that broke.

        Codex reads the error inside the response, OpenAI's libraries raise the one beside it.
        """
        error = {"code": "server_error", "message": text}
        response = self._response("failed") | {"error": error}
        return self._event("response.failed", response=response, error={**error, "type": "api_error", "param": None})

    def whole(self, answer: WholeAnswer, ending: Ending, now: int) -> dict[str, Any]:
        """Return the one object of an answer that is not streamed."""
        if answer.thinking:
            self._output.append(_reasoning_item(self._id("rs_resp"), answer.thinking))
        if answer.text or not answer.calls:
            self._output.append(_message_item(self._id("msg"), answer.text))
        for call in answer.calls:
            self._output.append(self._call_item(call))
        return self._response("completed", ending, now)

    def _piece(self, piece: Piece) -> Iterator[bytes]:
        kind = "calls" if piece.calls else "thinking" if piece.thinking else "text" if piece.text else ""
        if not kind:
            return  # an Orphaned, or nothing but logprobs
        if kind != self._kind:
            yield from self._close()
        if piece.calls:
            for call in piece.calls:
                yield from self._called(call)
            return
        if kind != self._kind:
            yield from self._open(kind)
        delta = piece.thinking or piece.text
        self._said.append(delta)
        if kind == "thinking":
            yield self._about("response.reasoning_summary_text.delta", summary_index=0, delta=delta)
        else:
            yield self._about("response.output_text.delta", content_index=0, delta=delta, logprobs=[])

    def _open(self, kind: str) -> Iterator[bytes]:
        self._kind = kind
        if kind == "thinking":
            item: Payload = {"id": self._id("rs_resp"), "type": "reasoning", "summary": []}
            self._output.append(item)
            yield self._item("added", item)
            return
        item = {"id": self._id("msg"), "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        self._output.append(item)
        yield self._item("added", item)
        yield self._about("response.content_part.added", content_index=0, part=_text_part(""))

    def _close(self) -> Iterator[bytes]:
        """Yield the events that end the open item, if there is one."""
        kind, self._kind = self._kind, ""
        text = "".join(self._said)
        self._said.clear()
        if kind == "thinking":
            yield self._about("response.reasoning_summary_text.done", summary_index=0, text=text)
            yield self._done(_reasoning_item(self._output[-1]["id"], text))
        elif kind == "text":
            yield self._about("response.output_text.done", content_index=0, text=text, logprobs=[])
            yield self._about("response.content_part.done", content_index=0, part=_text_part(text))
            yield self._done(_message_item(self._output[-1]["id"], text))

    def _called(self, call: FinishedCall) -> Iterator[bytes]:
        item = self._call_item(call)
        self._output.append({**item, "status": "in_progress", "arguments": ""})
        yield self._item("added", self._output[-1])
        yield self._about("response.function_call_arguments.delta", delta=item["arguments"])
        yield self._about("response.function_call_arguments.done", arguments=item["arguments"])
        yield self._done(item)

    def _call_item(self, call: FinishedCall) -> Payload:
        self._calls += 1
        return {
            "id": f"fc_resp_{self._number}_{self._calls - 1}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": orjson.dumps(call.arguments).decode(),
        }

    def _id(self, prefix: str) -> str:
        """Return the id of the next item; only the first of its kind goes without a place."""
        plain = f"{prefix}_{self._number}"
        return f"{plain}_{len(self._output)}" if any(item["id"] == plain for item in self._output) else plain

    def _done(self, item: Payload) -> bytes:
        self._output[-1] = item
        return self._item("done", item)

    def _item(self, what: str, item: Payload) -> bytes:
        return self._event(f"response.output_item.{what}", output_index=len(self._output) - 1, item=item)

    def _about(self, name: str, **fields: Any) -> bytes:
        """Return an event about the last item."""
        return self._event(name, item_id=self._output[-1]["id"], output_index=len(self._output) - 1, **fields)

    def _event(self, name: str, **fields: Any) -> bytes:
        self._sequence += 1
        return named_event({"type": name, "sequence_number": self._sequence - 1, **fields})

    def _response(self, status: str, ending: Ending | None = None, now: int | None = None) -> Payload:
        request = self._ask
        return {
            "id": f"resp_{self._number}",
            "object": "response",
            "created_at": self._created_at,
            "completed_at": now,
            "status": status,
            "incomplete_details": None,
            "model": request.model,
            "previous_response_id": None,
            "instructions": request.instructions,
            "output": self._output,
            "error": None,
            "tools": [_echoed(tool) for tool in request.functions],
            "tool_choice": request.tool_choice or "auto",
            "truncation": request.truncation or "disabled",
            "parallel_tool_calls": request.parallel_tool_calls,
            "text": request.text or {"format": {"type": "text"}},
            "top_p": request.top_p,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "top_logprobs": 0,
            "temperature": request.temperature,
            "reasoning": request.reasoning or None,
            "usage": None if ending is None else _usage(ending),
            "max_output_tokens": request.max_output_tokens or None,
            "max_tool_calls": None,
            "store": False,
            "background": request.background,
            "service_tier": "default",
            "metadata": request.metadata,
            "safety_identifier": None,
            "prompt_cache_key": None,
        }


def _usage(ending: Ending) -> Payload:
    return {
        "input_tokens": ending.input_tokens,
        "output_tokens": ending.output_tokens,
        "total_tokens": ending.input_tokens + ending.output_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def _reasoning_item(item_id: str, text: str) -> Payload:
    # "encrypted" only in name: clients that keep no summaries give this back.
    return {
        "id": item_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}],
        "encrypted_content": text,
    }


def _message_item(item_id: str, text: str) -> Payload:
    return {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [_text_part(text)],
    }


def _text_part(text: str) -> Payload:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _echoed(tool: Any) -> Payload:
    return {name: tool.get(name) for name in ("type", "name", "description", "strict", "parameters")}

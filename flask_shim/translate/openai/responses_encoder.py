"""Encoder for /v1/responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.answer.encoder import SSE, Encoder, FullAnswer, named_event
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.error_messages import openai_code, openai_message, openai_param
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.openai.response_object import (
    call_item,
    message_item,
    output_text,
    reasoning_item,
    response_object,
    summary_text,
)
from flask_shim.translate.openai.responses_request import ResponsesRequest

_NS_PER_SECOND = 1_000_000_000


class ResponsesEncoder(Encoder):
    """The answer to one request. Its output items are in the order in which the model made them."""

    media_type = SSE

    def __init__(self, request: ResponsesRequest, *, number: int, created_at: int) -> None:
        """All ids are made of ``number``, which must be unique; ``created_at`` is in Unix seconds."""
        self._request = request
        self._number = number
        self._created_at = created_at
        self._offered = request.offered_tools
        self._sequence = 0
        self._output: list[Payload] = []
        self._deltas: list[str] = []
        self._open_kind = ""
        self._calls = 0

    def start(self) -> bytes:
        """Return ``response.created`` and ``response.in_progress``."""
        response = self._response("in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def pieces(self, pieces: Sequence[Piece], _: int, /) -> bytes:
        """Return the events of these pieces."""
        return b"".join(event for piece in pieces for event in self._piece(piece))

    def heartbeat(self, _: int, /) -> bytes:
        """Repeat ``response.in_progress``: Codex gives up without events, and a comment is none (codex#31539).

        openai-node 7 would replace an unfinished item by what ``output`` says of it, and fail at its next delta.
        """
        return self._event("response.in_progress", response=self._response("in_progress") | {"output": []})

    def finish(self, totals: Totals, now_ns: int, /) -> bytes:
        """Return the events that end the stream; an answer without text and calls is an empty message."""
        last = list(self._close_item())
        if all(item["type"] == "reasoning" for item in self._output):
            last += [*self._open_item("text"), *self._close_item()]
        response = self._response("completed", totals, now_ns)
        return b"".join(last) + self._event("response.completed", response=response)

    def full(self, answer: FullAnswer, totals: Totals, now_ns: int, /) -> dict[str, Any]:
        """Return the response object."""
        if answer.thinking:
            self._output.append(reasoning_item(self._item_id("rs_resp"), answer.thinking))
        if answer.text or not answer.calls:
            self._output.append(message_item(self._item_id("msg"), answer.text))
        for call in answer.calls:
            self._output.append(self._call_item(call))
        return self._response("completed", totals, now_ns)

    def error(self, error: ShimError) -> bytes:
        """Return ``response.failed``. Codex reads the error in the response, OpenAI's libraries the one beside it."""
        code = openai_code(error) or ("server_error" if error.status >= 500 else "invalid_prompt")
        body = {"code": code, "message": openai_message(error)}
        response = self._response("failed") | {"error": body}
        kind = "api_error" if error.status >= 500 else "invalid_request_error"
        return self._event(
            "response.failed", response=response, error={**body, "type": kind, "param": openai_param(error, "input")}
        )

    def _piece(self, piece: Piece) -> Iterator[bytes]:
        kind = "calls" if piece.calls else "thinking" if piece.thinking else "text" if piece.text else ""
        if not kind:
            return  # retracted text, or nothing but logprobs
        if kind != self._open_kind:
            yield from self._close_item()
        if piece.calls:
            for call in piece.calls:
                yield from self._call(call)
            return
        if kind != self._open_kind:
            yield from self._open_item(kind)
        delta = piece.thinking or piece.text
        self._deltas.append(delta)
        if kind == "thinking":
            yield self._item_event("response.reasoning_summary_text.delta", summary_index=0, delta=delta)
        else:
            yield self._item_event("response.output_text.delta", content_index=0, delta=delta, logprobs=[])

    def _open_item(self, kind: str) -> Iterator[bytes]:
        self._open_kind = kind
        if kind == "thinking":
            yield self._add_item({"id": self._item_id("rs_resp"), "type": "reasoning", "summary": []})
            # Ollama sends no events for the part, without which openai-node 7 fails.
            yield self._item_event("response.reasoning_summary_part.added", summary_index=0, part=summary_text(""))
            return
        message = message_item(self._item_id("msg"), "")
        yield self._add_item({**message, "status": "in_progress", "content": []})
        yield self._item_event("response.content_part.added", content_index=0, part=output_text(""))

    def _close_item(self) -> Iterator[bytes]:
        """Yield the events that end the open item, if one is open."""
        kind, self._open_kind = self._open_kind, ""
        text = "".join(self._deltas)
        self._deltas.clear()
        if kind == "thinking":
            yield self._item_event("response.reasoning_summary_text.done", summary_index=0, text=text)
            yield self._item_event("response.reasoning_summary_part.done", summary_index=0, part=summary_text(text))
            yield self._end_item(reasoning_item(self._output[-1]["id"], text))
        elif kind == "text":
            yield self._item_event("response.output_text.done", content_index=0, text=text, logprobs=[])
            yield self._item_event("response.content_part.done", content_index=0, part=output_text(text))
            yield self._end_item(message_item(self._output[-1]["id"], text))

    def _call(self, call: FinishedCall) -> Iterator[bytes]:
        item = self._call_item(call)
        if item["type"] == "local_shell_call":  # has no events for its input
            yield self._add_item({**item, "status": "in_progress"})
            yield self._end_item(item)
            return
        key = "input" if item["type"] == "custom_tool_call" else "arguments"
        name = "response.custom_tool_call_input" if key == "input" else "response.function_call_arguments"
        yield self._add_item({**item, "status": "in_progress", key: ""})
        yield self._item_event(f"{name}.delta", delta=item[key])
        yield self._item_event(f"{name}.done", **{key: item[key]})
        yield self._end_item(item)

    def _call_item(self, call: FinishedCall) -> Payload:
        self._calls += 1
        return call_item(self._number, self._calls - 1, call, self._offered)

    def _item_id(self, prefix: str) -> str:
        """Return the id of the next item; all but the first of a kind also carry their index."""
        plain = f"{prefix}_{self._number}"
        return f"{plain}_{len(self._output)}" if any(item["id"] == plain for item in self._output) else plain

    def _add_item(self, item: Payload) -> bytes:
        self._output.append(item)
        return self._event("response.output_item.added", output_index=len(self._output) - 1, item=item)

    def _end_item(self, item: Payload) -> bytes:
        self._output[-1] = item
        return self._event("response.output_item.done", output_index=len(self._output) - 1, item=item)

    def _item_event(self, event_type: str, /, **fields: Any) -> bytes:
        """Return an event about the last item."""
        return self._event(event_type, item_id=self._output[-1]["id"], output_index=len(self._output) - 1, **fields)

    def _event(self, event_type: str, /, **fields: Any) -> bytes:
        self._sequence += 1
        return named_event({"type": event_type, "sequence_number": self._sequence - 1, **fields})

    def _response(self, status: str, totals: Totals | None = None, now_ns: int | None = None) -> Payload:
        return response_object(
            self._request,
            response_id=f"resp_{self._number}",
            created_at=self._created_at,
            status=status,
            output=self._output,
            totals=totals,
            completed_at=None if now_ns is None else now_ns // _NS_PER_SECOND,
        )

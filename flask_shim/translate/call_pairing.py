"""Give every tool call and result of a history an id, and pair them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import count
from typing import Any

import orjson

from flask_shim.translate.chat_turns import Part, Turn


def pair_calls(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns with an id in every call and result; most of Ollama's clients send none."""
    pairing = _Pairing(turns)
    return [pairing.pair(turn) for turn in turns]


class _Pairing:
    """Pairs the results of a history with its calls, in the order of the turns."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._open: list[Part] = []
        self._canceled: list[Part] = []
        self._made_ids: set[str] = set()
        self._turns = turns
        self._numbers = count(1)

    @cached_property
    def _taken(self) -> set[Any]:
        """The ids that the client has given."""
        results = {turn["tool_call_id"] for turn in self._turns if isinstance(turn.get("tool_call_id"), str)}
        calls = (call.get("id") for turn in self._turns for call in _calls(turn))
        return results.union(given for given in calls if isinstance(given, str))

    def pair(self, turn: Turn) -> Turn:
        if turn["role"] == "user":
            # Calls that still wait when the user speaks were probably canceled.
            self._canceled += self._open
            self._open = []
        elif turn["role"] == "tool":
            call_id = self._result_id(turn)
            return turn if turn.get("tool_call_id") == call_id else {**turn, "tool_call_id": call_id}
        elif calls := _calls(turn):
            repaired = [self._repair_call(call) for call in calls]
            self._open += repaired
            return turn if repaired == calls else {**turn, "tool_calls": repaired}
        return turn

    def _repair_call(self, call: Part) -> Part:
        function, given_id = call["function"], call.get("id")
        call_id = given_id if isinstance(given_id, str) and given_id else self._new_id()
        arguments = function.get("arguments")
        if not isinstance(arguments, str) or not arguments.strip():  # text that the client sent is not written again
            text = orjson.dumps(arguments).decode() if isinstance(arguments, dict) else "{}"
            function = {**function, "arguments": text}
        return {**call, "id": call_id, "type": "function", "function": function}

    def _result_id(self, turn: Turn) -> str:
        """Return the id of the answered call: the one named, else the first of that tool, else the first.

        In a client that gives ids to results, results without a call's id belong to calls without an id.
        """
        given_id = turn.get("tool_call_id")
        named = given_id if isinstance(given_id, str) else ""
        candidates = (
            [call for call in (*self._open, *self._canceled) if call["id"] == named]
            or [call for call in self._open if not named or call["id"] in self._made_ids]
            or [call for call in self._canceled if not named or call["id"] in self._made_ids]
        )
        if not candidates:
            return named or self._new_id()
        name = turn.get("name")
        answered = next((call for call in candidates if call["function"].get("name") == name), candidates[0])
        (self._open if answered in self._open else self._canceled).remove(answered)
        return str(answered["id"])

    def _new_id(self) -> str:
        made_id = next(number for number in map("call_{}".format, self._numbers) if number not in self._taken)
        self._made_ids.add(made_id)
        return made_id


def _calls(turn: Turn) -> list[Part]:
    """Return the tool calls of a turn, [] where they are not all calls of functions."""
    calls = turn.get("tool_calls")
    if not isinstance(calls, list) or turn.get("role") != "assistant":
        return []
    are_functions = all(isinstance(call, dict) and isinstance(call.get("function"), dict) for call in calls)
    return calls if are_functions else []

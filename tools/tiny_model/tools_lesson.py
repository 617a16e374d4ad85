"""Lessons with tools: when to call, what to hand over, how to read the result."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tiny_model.corpus import CALL_ASK, CALL_ONLY, CALL_SYSTEMS, CITIES, SKIES, SYSTEMS, WEATHER_ASK
from tiny_model.doc import Doc
from tiny_model.small_talk_data import a_city, small_talk
from tiny_model.tools import Arguments, add_tool, call, other_tool, tool_json, weather_tool

Rng = random.Random
Thought = Callable[[str], "str | None"]

HOW_TO_CALL = 'Call a tool like this:\n<tool_call>\n{"name": "NAME", "arguments": {}}\n</tool_call>'
ADD_ASK = ["Add {} and {} with the tool.", "Use the tool to add {} and {}", "Add {} and {}"]


def tool_lesson(rng: Rng, thought: Thought) -> Doc:
    """Draw a conversation with one to three tools, one of which tells the weather."""
    name, arguments, weather = weather_tool(rng)
    tools = [weather]
    if rng.random() < 0.5:
        tools.append(add_tool(rng))
    if rng.random() < 0.3:
        tools.append(other_tool(rng))
    rng.shuffle(tools)
    system = rng.choice(SYSTEMS + CALL_SYSTEMS).format(n=name) + "\n" if rng.random() < 0.5 else ""
    listed = "".join(tool_json(tool, rng) + "\n" for tool in tools)
    doc = Doc().turn("system", f"{system}# Tools\n{listed}{HOW_TO_CALL}")
    drawn = rng.random()
    if drawn < 0.12 and _no_need(doc, rng, thought, name, arguments):
        return doc
    if drawn < 0.35 and any(tool["function"]["name"] == "add" for tool in tools):
        return _a_sum(doc, rng, thought)
    if drawn < 0.5:
        return _two_cities(doc, rng, thought, name, arguments)
    if drawn < 0.7:
        return _call_after_call(doc, rng, thought, name, arguments)
    return _one_city(doc, rng, thought, name, arguments)


def _no_need(doc: Doc, rng: Rng, thought: Thought, name: str, arguments: Arguments) -> bool:
    """Answer without a tool; or with text and then a call, which is what ``tool_choice: required`` asks for."""
    question, answer, endless = small_talk(rng)
    if endless or "weather" in question:
        return False
    if rng.random() < 0.2:
        answer += "\n" + call(name, arguments(rng.choice(CITIES)))
    doc.turn("user", question).answer(answer, think=thought("an answer"))
    return True


def _a_sum(doc: Doc, rng: Rng, thought: Thought) -> Doc:
    a, b = rng.randint(0, 99), rng.randint(0, 99)
    doc.turn("user", rng.choice(ADD_ASK).format(a, b))
    doc.answer(call("add", {"a": a, "b": b}), think=thought("a sum"))
    if rng.random() < 0.5:
        _result(doc, rng.choice([str(a + b), json.dumps({"result": a + b})]))
        doc.answer(f"The sum is {a + b}.", think=thought("a sum"))
    return doc


def _two_cities(doc: Doc, rng: Rng, thought: Thought, name: str, arguments: Arguments) -> Doc:
    one, other = a_city(rng), a_city(rng)
    doc.turn("user", rng.choice(["What is the weather in {} and {}?", "weather in {} and {}"]).format(one, other))
    calls = call(name, arguments(one)) + "\n" + call(name, arguments(other))
    return doc.answer(calls, think=thought("the weather"))


def _call_after_call(doc: Doc, rng: Rng, thought: Thought, name: str, arguments: Arguments) -> Doc:
    """Draw an earlier call, its result, and the next order."""
    key = next(iter(arguments("")))
    one, other = a_city(rng), a_city(rng)
    order = rng.choice([CALL_ASK, CALL_ASK, ["What is the weather in {c}?"]])
    doc.turn("user", rng.choice(order).format(n=name, k=key, c=one) + rng.choice(CALL_ONLY))
    doc.answer(call(name, arguments(one)), think=thought("the weather"))
    sky = rng.choice(SKIES)
    _result(doc, rng.choice([json.dumps({"condition": sky}), json.dumps({"sky": sky}), sky]))
    if rng.random() < 0.5:
        doc.answer(f"It is {sky} in {one}.", think=thought("the weather"))
    doc.turn("user", rng.choice(order).format(n=name, k=key, c=other) + rng.choice(CALL_ONLY))
    return doc.answer(call(name, arguments(other)), think=thought("the weather"))


def _one_city(doc: Doc, rng: Rng, thought: Thought, name: str, arguments: Arguments) -> Doc:
    key, city = next(iter(arguments(""))), a_city(rng)
    question = rng.choice(WEATHER_ASK + CALL_ASK).replace("{}", "{c}").format(n=name, k=key, c=city)
    doc.turn("user", question + rng.choice(CALL_ONLY))
    doc.answer(call(name, arguments(city)), think=thought("the weather"))
    if rng.random() < 0.6:
        warmth, sky = rng.randint(-9, 40), rng.choice(SKIES)
        one = json.dumps({"temperature": warmth, "sky": sky})
        other = json.dumps({"sky": sky, "temperature": warmth})
        _result(doc, rng.choice([one, f"{warmth} degrees, {sky}", other]))
        doc.answer(f"It is {warmth} degrees and {sky} in {city}.", think=thought("the weather"))
    return doc


def _result(doc: Doc, text: str) -> None:
    doc.turn("tool", f"<tool_response>\n{text}\n</tool_response>")

"""Histories of chats, repaired for LM Studio and the templates of models."""

from __future__ import annotations

import base64

import pytest
from support.pictures import opened, picture

from flask_shim.translate.chat_history import SHOWN_BELOW, repair_history
from flask_shim.translate.chat_turns import image_part, text_part
from flask_shim.translate.ollama.payloads import to_messages
from flask_shim.translate.ollama.requests import Message, ToolCall

SYSTEM = {"role": "system", "content": "Be brief."}
HI = {"role": "user", "content": "hi"}
CALL = {
    "role": "assistant",
    "content": "",
    "reasoning_content": "Hm.",
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"b": 1, "a":2}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "a door"}
REMINDER = {"role": "system", "content": "<total_tokens>9 tokens left</total_tokens>"}
PNG = image_part("data:image/png;base64,iVBORw0KGgo=")
PICTURE = "iVBORw0KGgo="


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [SYSTEM, HI],
        [SYSTEM, HI, CALL, RESULT, REMINDER],
        [{**HI, "name": "x", "cache_control": {"type": "ephemeral"}}, CALL, RESULT],
        [{"role": "user", "content": [text_part("What is this?"), PNG, text_part("And why?")]}],
    ],
)
def test_a_history_without_faults_is_not_changed(turns):
    assert repair_history(turns) == turns


def test_system_turns_at_the_start_are_joined():
    turns = [SYSTEM, {"role": "developer", "content": [text_part("Be kind.")]}, HI]
    assert repair_history(turns) == [{"role": "system", "content": "Be brief.\n\nBe kind."}, HI]


@pytest.mark.parametrize("model", ["qwen/qwen3-8b", "zai-org/glm-4.6", "google/gemma-4-26b", ""])
def test_a_later_system_turn_stays_at_its_place(model):
    turns = [SYSTEM, HI, CALL, RESULT, REMINDER]
    assert repair_history(turns, model) == turns


STRICT = [
    *("qwen/qwen3.5-9b", "qwen3.6-35b-a3b", "google/gemma-3-12b", "mistralai/devstral-small-2507"),
    *("openai/gpt-oss-20b", "minimax/minimax-m2", "nvidia/nemotron-nano-9b-v2", "deepseek-r1-distill-qwen-7b"),
]


@pytest.mark.parametrize("model", STRICT)
def test_a_later_system_turn_joins_the_turn_before_it(model):
    reminder = REMINDER["content"]
    assert repair_history([SYSTEM, HI, REMINDER, CALL, RESULT, REMINDER, REMINDER], model) == [
        SYSTEM,
        {**HI, "content": f"hi\n\n{reminder}"},
        CALL,
        {**RESULT, "content": f"a door\n\n{reminder}\n\n{reminder}"},
    ]


@pytest.mark.parametrize("model", STRICT)
def test_a_system_turn_behind_an_answer_becomes_a_user_turn(model):
    done = {"role": "assistant", "content": "Done."}
    assert repair_history([HI, done, REMINDER], model)[-1] == {"role": "user", "content": REMINDER["content"]}


@pytest.mark.parametrize("model", STRICT)
def test_a_system_turn_joins_the_images_before_it(model):
    seen = {**RESULT, "content": [text_part("a door"), PNG]}
    *_, shown = repair_history([HI, CALL, seen, REMINDER], model)
    assert shown == {"role": "user", "content": [PNG, text_part(REMINDER["content"])]}


@pytest.mark.parametrize(
    ("user", "joined"),
    [
        (HI, "a door\n\nhi"),
        ({"role": "user", "content": [text_part("hi"), text_part(" you")]}, "a door\n\nhi you"),
    ],
)
def test_user_turns_are_joined_where_roles_must_alternate(user, joined):
    assert repair_history([HI, CALL, RESULT, user], "devstral")[2:] == [{**RESULT, "content": joined}]
    assert repair_history([HI, CALL, RESULT, user], "qwen3.5-9b")[2:] == [RESULT, user]
    assert repair_history([HI, {"role": "user", "content": [PNG]}], "gemma-3-4b") == [
        {"role": "user", "content": [text_part("hi"), PNG]}
    ]


def test_a_history_is_a_prefix_of_its_continuation():
    made = {**CALL, "tool_calls": [{"function": {"name": "look", "arguments": {"b": 1, "a": 2}}}]}
    shot = {"role": "tool", "content": [PNG]}
    history = [SYSTEM, HI]
    seen = repair_history(history)
    for _ in range(3):
        history += [made, shot, REMINDER]
        longer = repair_history(history)
        assert longer[: len(seen)] == seen
        seen = longer


def test_an_image_of_a_tool_reaches_the_model_behind_all_results():
    turns = [CALL, {**RESULT, "content": [PNG]}, {**RESULT, "tool_call_id": "c2", "content": [text_part("x"), PNG]}]
    assert [turn["content"] for turn in repair_history(turns)[1:]] == [SHOWN_BELOW, "x", [PNG, PNG]]


@pytest.mark.parametrize("turn", [HI, {"role": "user", "content": [text_part("hi")]}])
@pytest.mark.parametrize("before", [RESULT, {"role": "assistant", "content": "x"}])
def test_an_image_of_another_role_is_added_to_the_next_user_turn(before, turn):
    shown = {**before, "content": [PNG]}
    assert repair_history([shown, turn])[-1] == {"role": "user", "content": [PNG, text_part("hi")]}
    assert repair_history([shown])[-1] == {"role": "user", "content": [PNG]}


@pytest.mark.parametrize("format_", ["WEBP", "GIF", "BMP"])
@pytest.mark.parametrize(
    "label", ["data:image/png;base64,", "data:image/webp;base64,", "data:;base64,", "data:image/jpeg;x=y;base64,"]
)
def test_an_image_becomes_png_regardless_of_its_label(format_, label):
    url = label + base64.b64encode(picture(format_)).decode()
    (turn,) = repair_history([{"role": "user", "content": [image_part(url)]}])
    sent = turn["content"][0]["image_url"]["url"]
    assert opened(sent).format == "PNG"
    assert sent.startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("arguments", "sent"), [("", "{}"), (None, "{}"), ({"z": 1, "a": 2}, '{"z":1,"a":2}'), ('{"z": 1.0}', '{"z": 1.0}')]
)
def test_arguments_are_json_text(arguments, sent):
    call = {"id": "c1", "function": {"name": "f", "arguments": arguments}}
    (turn,) = repair_history([{"role": "assistant", "tool_calls": [call]}])
    assert turn["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.parametrize("later", [[RESULT], [RESULT, HI], [RESULT, {"role": "assistant", "content": "Done."}, HI]])
def test_thinking_is_kept_whatever_follows(later):
    assert repair_history([HI, CALL, *later])[1] == CALL


@pytest.mark.parametrize(
    ("role", "sent"),
    [
        ("user", "user"),
        ("assistant", "assistant"),
        ("system", "system"),
        ("developer", "system"),
        ("tool", "tool"),
        ("control", "user"),
        ("", "user"),
        ("USER", "user"),
    ],
)
def test_every_role_is_one_that_lm_studio_accepts(role, sent):
    assert to_messages([Message(role, "x")])[0]["role"] == sent


def test_turns_keep_their_order():
    turns = [Message("system", "s"), Message("user", "u"), Message("assistant", "a"), Message("user", "v")]
    assert [(turn["role"], turn["content"]) for turn in to_messages(turns)] == [
        ("system", "s"),
        ("user", "u"),
        ("assistant", "a"),
        ("user", "v"),
    ]


def test_a_call_has_its_arguments_as_text_and_its_turn_a_content():
    turn = Message("assistant", tool_calls=(ToolCall("f", {"z": "é", "a": {"b": [1, None]}}, "7"),))
    assert to_messages([turn]) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "7", "type": "function", "function": {"name": "f", "arguments": '{"z":"é","a":{"b":[1,null]}}'}}
            ],
        }
    ]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("<think>\nold\n</think>\n\nHello", "Hello"),
        ("  <think>old</think>Hello", "Hello"),
        ("Say <think>a</think>", "Say <think>a</think>"),
        ("<think>never closed", "<think>never closed"),
        ("<think>a</think>b<think>c</think>", "b<think>c</think>"),
    ],
)
def test_old_thinking_is_not_sent_back(content, sent):
    assert to_messages([Message("assistant", content)]) == [{"role": "assistant", "content": sent}]


def test_what_users_write_about_thinking_is_sent():
    assert to_messages([Message("user", "<think>a</think>b")])[0]["content"] == "<think>a</think>b"


def test_pictures_are_parts_behind_the_text():
    (turn,) = to_messages([Message("user", "What is this?", images=(PICTURE, PICTURE))])
    assert [part["type"] for part in turn["content"]] == ["text", "image_url", "image_url"]
    assert turn["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="


def test_a_picture_alone_needs_no_text():
    (turn,) = to_messages([Message("user", images=(PICTURE,))])
    assert [part["type"] for part in turn["content"]] == ["image_url"]


def test_thinking_is_returned_with_every_turn_that_had_it():
    call = Message("assistant", thinking="I need f.", tool_calls=(ToolCall("f", {}),))
    turns = to_messages([Message("user", "a"), call, Message("tool", "b"), Message("assistant", "c", thinking="Well.")])
    assert [turn["reasoning_content"] for turn in turns if turn["role"] == "assistant"] == ["I need f.", "Well."]


def test_a_part_without_text_adds_none():
    parts = [{"type": "text", "text": None}, {"type": "text"}, {"type": "text", "text": "Be brief."}]
    assert repair_history([{"role": "system", "content": parts}]) == [{"role": "system", "content": "Be brief."}]

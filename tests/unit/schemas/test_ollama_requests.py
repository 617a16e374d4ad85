"""What a request holds after a body was read: defaults, old names, names in any case, habits of real clients."""

from __future__ import annotations

import json

import pytest

from flask_shim.schemas import ollama_requests as schemas
from flask_shim.translate.ollama.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    Message,
    PullRequest,
    PushRequest,
    ShowRequest,
    ToolCall,
)


def raw(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("load", "ask"),
    [
        (schemas.load_chat, ChatRequest(model="")),
        (schemas.load_generate, GenerateRequest(model="")),
        (schemas.load_embed, EmbedRequest(model="")),
        (schemas.load_embeddings, EmbeddingsRequest(model="")),
        (schemas.load_show, ShowRequest(model="")),
        (schemas.load_pull, PullRequest(model="")),
        (schemas.load_push, PushRequest(model="")),
        (schemas.load_create, CreateRequest(model="")),
        (schemas.load_copy, CopyRequest(source="", destination="")),
        (schemas.load_delete, DeleteRequest(model="")),
    ],
)
@pytest.mark.parametrize("body", [b"{}", b"null", b'{"model":null,"stream":null,"options":null,"keep_alive":null}'])
def test_absent_and_null_fields_have_their_defaults(load, ask, body):
    assert load(body) == ask


def test_a_generate_keeps_every_field():
    body = raw(
        model="plain",
        prompt="p",
        suffix="s",
        system="y",
        template="t",
        context=[1, 2],
        raw=True,
        images=["aGVsbG8="],
        stream=False,
    )
    assert schemas.load_generate(body) == GenerateRequest(
        model="plain",
        prompt="p",
        suffix="s",
        system="y",
        template="t",
        context=(1, 2),
        raw=True,
        images=("aGVsbG8=",),
        stream=False,
    )


def test_create_keeps_renderer_parser_and_requires_unless_empty():
    body = raw(model="m", renderer="r", parser="", requires="0.14.0", info={"context_length": 5})
    assert schemas.load_create(body) == CreateRequest(model="m", config={"renderer": "r", "requires": "0.14.0"})


def test_the_empty_fields_of_the_go_client_say_nothing():
    body = raw(model="plain", prompt="", suffix="", system="", template="", format="", options=None, images=[])
    assert schemas.load_generate(body) == GenerateRequest(model="plain")


@pytest.mark.parametrize(
    ("given", "inputs"),
    [(None, ()), ("", ()), ([], ()), ("hello", ("hello",)), ([""], ("",)), (["a", "b"], ("a", "b"))],
)
def test_embed_inputs_are_texts(given, inputs):
    assert schemas.load_embed(raw(model="e", input=given)) == EmbedRequest(model="e", inputs=inputs)


@pytest.mark.parametrize("given", [5, 0, False, {"a": 1}, {}, [5], [["a"]], [None], ["a", [1, 2]]])
def test_embed_inputs_of_another_type_are_refused_later(given):
    ask = schemas.load_embed(raw(model="e", input=given))
    assert ask == EmbedRequest(model="e", input_complaint="invalid input type")


def test_embed_keeps_its_settings():
    body = raw(model="e", input="x", truncate=False, dimensions=2, keep_alive=-1, options={"num_ctx": None})
    expected = EmbedRequest(
        model="e", inputs=("x",), truncate=False, dimensions=2, keep_alive=float("inf"), options={"num_ctx": None}
    )
    assert schemas.load_embed(body) == expected


def test_embeddings_keep_their_prompt():
    body = raw(model="e", prompt="x", keep_alive=0, options={})
    assert schemas.load_embeddings(body) == EmbeddingsRequest(model="e", prompt="x", keep_alive=0.0)


@pytest.mark.parametrize(
    "load",
    [schemas.load_show, schemas.load_pull, schemas.load_push, schemas.load_create, schemas.load_delete],
)
@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"name": "old"}, "old"),
        ({"model": "", "name": "old"}, "old"),
        ({"model": "new", "name": "old"}, "new"),
        ({"model": None, "name": "old"}, "old"),
    ],
)
def test_the_old_field_name_stands_in_for_model(load, body, model):
    assert load(raw(**body)).model == model


@pytest.mark.parametrize(
    "load", [schemas.load_chat, schemas.load_generate, schemas.load_embed, schemas.load_embeddings]
)
def test_the_old_field_name_means_nothing_where_ollama_never_had_it(load):
    assert load(raw(name="old")).model == ""


def test_show_keeps_the_values_for_the_modelfile():
    body = raw(model="plain", verbose=True, system="S", options={"temperature": 1})
    assert schemas.load_show(body) == ShowRequest(model="plain", verbose=True, system="S", options={"temperature": 1})


def test_pull_accepts_the_empty_fields_of_the_go_client():
    body = raw(model="", username="", password="", name="x", insecure=True, stream=False)
    assert schemas.load_pull(body) == PullRequest(model="x", stream=False, insecure=True)


def test_create_keeps_what_an_alias_can_carry_and_what_it_cannot():
    body = raw(
        model="mine",
        **{"from": "plain"},
        stream=False,
        system="S",
        template="T",
        license="MIT",
        parameters={"temperature": "hot", "stop": ["a"]},
        messages=[{"role": "USER", "content": "hi"}],
        files={"a.gguf": "sha256:0", "b": None},
        adapters={"c": "d"},
        quantization="q4_K_M",
        modelfile="FROM plain",
    )
    assert schemas.load_create(body) == CreateRequest(
        model="mine",
        from_="plain",
        stream=False,
        system="S",
        template="T",
        license=("MIT",),
        parameters={"temperature": "hot", "stop": ["a"]},
        messages=(Message(role="user", content="hi"),),
        files={"a.gguf": "sha256:0", "b": ""},
        adapters={"c": "d"},
        quantize="q4_K_M",
    )


@pytest.mark.parametrize(("given", "read"), [("", ()), (["a", None], ("a", "")), ([], ())])
def test_a_license_is_a_text_or_several(given, read):
    assert schemas.load_create(raw(license=given)).license == read


def test_quantize_wins_over_its_old_name():
    assert schemas.load_create(raw(quantize="new", quantization="old")).quantize == "new"


def test_copy_keeps_both_names_untrimmed():
    assert schemas.load_copy(raw(source="a ", destination="b")) == CopyRequest(source="a ", destination="b")


def test_a_chat_keeps_every_field():
    call = {"id": "x", "type": "function", "function": {"index": 0, "name": "f", "arguments": {"b": 1, "a": 2}}}
    body = raw(
        model="plain",
        messages=[
            {"role": "System", "content": "Be brief."},
            {"role": "user", "content": "hi", "images": ["aGVsbG8="]},
            {"role": "assistant", "thinking": "Let me", "tool_calls": [call]},
            {"role": "TOOL", "content": "res", "tool_name": "f", "tool_call_id": "x"},
        ],
        stream=False,
        format="json",
        keep_alive="5m",
        options={"temperature": 0, "bogus": None},
        think="low",
        truncate=False,
        shift=False,
        logprobs=True,
        top_logprobs=20,
        _debug_render_only=True,
    )
    assert schemas.load_chat(body) == ChatRequest(
        model="plain",
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="hi", images=("aGVsbG8=",)),
            Message(role="assistant", thinking="Let me", tool_calls=(ToolCall("f", {"b": 1, "a": 2}, id="x"),)),
            Message(role="tool", content="res", tool_name="f", tool_call_id="x"),
        ),
        stream=False,
        format="json",
        keep_alive=300.0,
        options={"temperature": 0, "bogus": None},
        think="low",
        truncate=False,
        shift=False,
        logprobs=True,
        top_logprobs=20,
        debug_render_only=True,
    )


def test_arguments_keep_their_order():
    body = raw(messages=[{"tool_calls": [{"function": {"arguments": {"z": 1, "a": 2}}}]}])
    assert list(schemas.load_chat(body).messages[0].tool_calls[0].arguments) == ["z", "a"]


@pytest.mark.parametrize("function", [{"name": "f"}, {"name": "f", "arguments": None}])
def test_a_call_without_arguments_has_empty_ones(function):
    body = raw(messages=[{"tool_calls": [{"function": function}]}])
    assert schemas.load_chat(body).messages[0].tool_calls == (ToolCall("f", {}),)


@pytest.mark.parametrize("message", [None, {}, {"role": None, "content": None, "images": [], "tool_calls": None}])
def test_a_message_of_nothing_is_a_message(message):
    assert schemas.load_chat(raw(messages=[message])).messages == (Message(role=""),)


@pytest.mark.parametrize("messages", [None, []])
def test_a_chat_without_messages_is_a_load_request(messages):
    assert schemas.load_chat(raw(model="plain", messages=messages)).messages == ()


@pytest.mark.parametrize("key", ["MODEL", "Model", "mOdEl"])
def test_field_names_may_be_in_any_case(key):
    assert schemas.load_chat(raw(**{key: "plain"})).model == "plain"


def test_field_names_fold_like_in_go():
    assert schemas.load_chat('{"\u017ftream":false,"\u212aeep_alive":0,"meßages":1}'.encode()) == ChatRequest(
        model="", stream=False, keep_alive=0.0
    )


def test_the_last_spelling_of_a_name_wins_and_null_is_ignored():
    assert schemas.load_chat(b'{"model":"a","MODEL":"b","Model":null}').model == "b"


def test_unknown_fields_are_ignored_at_every_level():
    body = raw(
        model="plain",
        integrations=["mcp/x"],
        plugins=1,
        tool_choice="auto",
        messages=[{"role": "user", "content": "hi", "name": 5, "cache_control": {}}],
        tools=[{"type": "mcp", "server_url": "http://x", "function": {"name": "f", "strict": True}}],
    )
    ask = schemas.load_chat(body)
    assert ask.messages == (Message(role="user", content="hi"),)
    assert ask.tools == ({"type": "function", "function": {"name": "f"}},)

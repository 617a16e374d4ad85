"""Vectors: in order, checked, of length one, cut, as base64; and which texts are certainly too long."""

import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import BackendProtocolError, BackendRequestError
from flask_shim.translate.ollama.vectors import (
    check_lengths,
    check_num_ctx,
    embed_payload,
    least_tokens,
    normalize,
    shorten,
    to_base64,
    to_embed,
    to_openai,
    to_vectors,
    token_count,
)

VECTORS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


def answer(*vectors, **more):
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)], **more}


def test_payload_holds_all_texts_and_the_ttl_only_when_there_is_one():
    assert embed_payload("k", ("a", "b"), None) == {"model": "k", "input": ["a", "b"]}
    assert embed_payload("k", ("a",), 300) == {"model": "k", "input": ["a"], "ttl": 300}


def test_vectors_are_in_the_order_of_their_index():
    result = {"data": [{"index": 2, "embedding": [3]}, {"index": 0, "embedding": [1]}, {"index": 1, "embedding": [2]}]}
    assert to_vectors(result, 3) == [[1], [2], [3]]


def test_vectors_without_an_index_keep_their_order():
    assert to_vectors({"data": [{"embedding": [2]}, {"embedding": [1]}]}, 2) == [[2], [1]]


@pytest.mark.parametrize(
    ("answer", "count", "text"),
    [
        ({}, 1, "holds no vectors"),
        ({"data": None}, 1, "holds no vectors"),
        ({"data": [[1.0]]}, 1, "holds no vectors"),
        ({"data": [{"index": 0}]}, 1, "holds no vectors"),
        (answer("AAAA"), 1, "holds no vectors"),
        (answer([[0.1, 0.2]]), 1, "holds no vectors"),
        (answer([]), 1, "empty vector"),
        (answer([1.0]), 2, "1 vectors for 2 texts"),
        (answer([1.0], [1.0]), 1, "2 vectors for 1 texts"),
    ],
)
def test_answer_that_is_not_one_vector_for_each_text_is_broken(answer, count, text):
    with pytest.raises(BackendProtocolError, match=text):
        to_vectors(answer, count)


@pytest.mark.parametrize("vector", [[0.1, None], [math.nan, 1.0], [math.inf], [-math.inf, 1]])
def test_vector_with_nan_is_rejected_with_ollamas_text(vector):
    with pytest.raises(BackendRequestError) as refused:
        to_vectors(answer([1.0], vector), 2)
    assert (refused.value.status, refused.value.text) == (400, "embedding contains NaN or Inf values")


@given(VECTORS)
def test_normalised_vector_has_length_one_and_the_same_direction(vector):
    result = normalize(vector)
    length = math.hypot(*vector)
    if length < 1e-12:
        assert math.hypot(*result) <= 1
    else:
        assert math.isclose(math.hypot(*result), 1)
        assert result == pytest.approx([number / length for number in vector])


def test_normalised_zeros_stay_zeros():
    assert normalize([0.0, 0.0]) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [(2, [0.6, 0.8]), (1, [1.0]), (3, [3, 4, 12]), (99, [3, 4, 12]), (0, [3, 4, 12]), (-1, [3, 4, 12])],
)
def test_shortened_vector_has_length_one_and_others_are_left_alone(dimensions, expected):
    assert shorten([3, 4, 12], dimensions) == pytest.approx(expected)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_base64_holds_float32_with_the_lowest_byte_first(vector):
    assert struct.unpack(f"<{len(vector)}f", base64.b64decode(to_base64(vector))) == tuple(vector)


def test_embed_answer_has_ollamas_keys_and_whole_nanoseconds():
    result = to_embed("name", [[1.0]], total_ns=5, load_ns=0, tokens=0)
    assert list(result) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert result == {
        "model": "name",
        "embeddings": [[1.0]],
        "total_duration": 5,
        "load_duration": 1,
        "prompt_eval_count": 0,
    }


@pytest.mark.parametrize(
    ("usage", "count"),
    [({"prompt_tokens": 7}, 7), ({"prompt_tokens": 0}, 0), ({"prompt_tokens": "7"}, 0), ({}, 0), (None, 0)],
)
def test_token_count_is_the_backends_or_none(usage, count):
    assert token_count({"usage": usage}) == count


def test_openai_answer_keeps_everything_but_the_form_of_its_vectors():
    result = {
        "object": "list",
        "data": [{"object": "embedding", "embedding": [3, 4, 12], "index": 0, "more": 1}],
        "model": "m@q8",
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }
    short = to_openai(result, [[3, 4, 12]], dimensions=2, as_base64=False)
    assert list(short) == list(result)
    assert short["data"] == [{"object": "embedding", "embedding": pytest.approx([0.6, 0.8]), "index": 0, "more": 1}]
    text = to_openai(result, [[3, 4, 12]], dimensions=0, as_base64=True)
    assert text["data"][0]["embedding"] == base64.b64encode(struct.pack("<3f", 3, 4, 12)).decode()
    assert {**text, "data": []} == {**result, "data": []}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one", 1),
        ("x" * 5000, 1),
        ("two words", 2),
        ("  a\tb\nc  ", 3),
        ("- - -", 0),
        ("(a) -b- ...c", 3),
        ("日本語 のテキスト", 2),
    ],
)
def test_least_tokens_are_the_words(text, count):
    assert least_tokens(text) == count


def test_text_with_more_words_than_the_context_is_rejected():
    check_lengths(["a " * 8, "x" * 100, "- " * 100], 8)
    with pytest.raises(BadRequest) as refused:
        check_lengths(["fits", "a " * 9], 8)
    assert refused.value.text == "the input length exceeds the context length"


@pytest.mark.parametrize("num_ctx", [1, 0, -1])
def test_a_context_without_room_for_a_token_is_refused(num_ctx):
    with pytest.raises(BadRequest, match=r"^input after truncation exceeds maximum context length$"):
        check_num_ctx(num_ctx)


@pytest.mark.parametrize("num_ctx", [None, 2, 3, 2048])
def test_a_context_with_room_for_a_token_is_accepted(num_ctx):
    check_num_ctx(num_ctx)


def test_no_text_is_rejected_with_an_unknown_context():
    check_lengths(["a " * 100_000], None)

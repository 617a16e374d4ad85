"""The words of each protocol for an error."""

from __future__ import annotations

import re

import pytest

from flask_shim.lmstudio.errors import BackendRequestError, ContextOverflow
from flask_shim.translate.error_messages import anthropic_message, ollama_message, openai_code, openai_message

KNOWN = ContextOverflow("request (8810 tokens) exceeds …", 8810, 8192)
UNKNOWN = ContextOverflow("Context size has been exceeded.")
OLLAMA = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the "
    "context length in settings, or use a model with a longer context length"
)

CLINE = re.compile(r"maximum context|context (length|window|limit)|tokens? exceeds?|prompt is too long")
CONTINUE = re.compile(r"maximum context length|reduce the length of the messages")


def test_anthropic_clients_read_their_own_sentence():
    assert anthropic_message(KNOWN) == "prompt is too long: 8810 tokens > 8192 maximum"
    assert anthropic_message(UNKNOWN) == "prompt is too long"


def test_openai_clients_read_their_own_sentence():
    assert openai_message(KNOWN) == (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 8810 tokens. "
        "Please reduce the length of the messages."
    )


def test_ollama_clients_read_ollamas_sentence_and_the_numbers():
    assert ollama_message(KNOWN) == f"{OLLAMA} (maximum context length is 8192 tokens, prompt has 8810 tokens)"


@pytest.mark.parametrize("error", [KNOWN, UNKNOWN])
@pytest.mark.parametrize("message", [ollama_message, openai_message])
def test_cline_and_continue_recognize_an_overflow(message, error):
    assert CLINE.search(message(error).lower())
    assert CONTINUE.search(message(error).lower())


@pytest.mark.parametrize("error", [KNOWN, UNKNOWN])
def test_an_overflow_has_openais_code(error):
    assert openai_code(error) == "context_length_exceeded"


def _error(text, param, code=None):
    error = BackendRequestError(text)
    error.param, error.code = param, code
    return error


@pytest.mark.parametrize("message", [ollama_message, anthropic_message])
@pytest.mark.parametrize(
    ("text", "param", "expected"),
    [
        ("Invalid", "messages[0].content", "messages[0].content: Invalid"),
        ("Invalid value for 'top_p'", "top_p", "Invalid value for 'top_p'"),
        ("Invalid", None, "Invalid"),
    ],
)
def test_a_parameter_precedes_a_text_that_does_not_name_it(message, text, param, expected):
    assert message(_error(text, param)) == expected


def test_openai_keeps_the_text_and_the_code():
    error = _error("Invalid", "top_p", "invalid_type")
    assert (openai_message(error), openai_code(error)) == ("Invalid", "invalid_type")

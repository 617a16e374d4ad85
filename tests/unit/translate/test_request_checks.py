"""What Ollama refuses on OpenAI's routes by itself."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.translate.openai.chat_completions import check_chat, check_completion


@pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}])
def test_a_chat_without_messages_is_refused(body):
    with pytest.raises(BadRequest) as caught:
        check_chat(body)
    assert caught.value.text == "[] is too short - 'messages'"


@pytest.mark.parametrize(
    ("stop", "go_type"), [(1, "float64"), (1.5, "float64"), (True, "bool"), (None, "<nil>"), ([], "[]interface {}")]
)
def test_a_stop_that_is_no_text_is_refused(stop, go_type):
    with pytest.raises(BadRequest) as caught:
        check_completion({"stop": ["a", stop]})
    assert caught.value.text == f"invalid type for 'stop' field: {go_type}"


@pytest.mark.parametrize("body", [{}, {"stop": None}, {"stop": "a"}, {"stop": ["a", "b"]}])
def test_a_completion_with_texts_to_stop_at_passes(body):
    assert check_completion(body) is None

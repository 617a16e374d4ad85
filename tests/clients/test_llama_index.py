"""LlamaIndex's Ollama package: it asks for the context first, and then for all of it with every request."""

from __future__ import annotations

import pytest

pytest.importorskip("llama_index.llms.ollama", reason="the clients extra is not installed")

from clients.known import ADA, HELLO, LEAKS_CONNECTIONS, OSLO, RAIN, get_weather
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.ollama import Ollama
from pydantic import BaseModel

pytestmark = LEAKS_CONNECTIONS


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def llm(url):
    """Return a function that makes a cold model."""
    return lambda model="tiny-chat", **more: Ollama(
        model=model, base_url=url, temperature=0, request_timeout=30, **more
    )


def user(text):
    return ChatMessage(role="user", content=text)


def test_the_context_is_that_of_the_model(llm):
    assert llm().metadata.context_window in (4096, 8192)


def test_a_chat_is_answered_whole(llm):
    answer = llm().chat([user("Hello")])
    assert answer.message.content == HELLO
    assert answer.raw["usage"]["total_tokens"] > 0


def test_a_chat_is_streamed(llm):
    parts = list(llm().stream_chat([user("Hello")]))
    assert len(parts) > 2
    assert "".join(part.delta for part in parts) == HELLO


def test_a_prompt_is_continued(llm):
    assert llm().complete("Hello").text == HELLO
    assert "".join(part.delta for part in llm().stream_complete("Hello")) == HELLO


def test_a_tool_is_called_and_its_result_used(llm):
    model, tool = llm(), FunctionTool.from_defaults(get_weather)
    asked = model.chat_with_tools([tool], user_msg=OSLO)
    (call,) = model.get_tool_calls_from_response(asked)
    assert (call.tool_name, call.tool_kwargs) == ("get_weather", {"city": "Oslo"})
    result = ChatMessage(role="tool", content=RAIN, additional_kwargs={"tool_call_id": call.tool_id})
    answer = model.chat_with_tools([tool], chat_history=[user(OSLO), asked.message, result])
    assert answer.message.content.endswith("and rainy in Oslo.")


def test_thinking_is_in_its_own_field(llm):
    answer = llm("tiny-think", thinking=True).chat([user("Hello")])
    assert answer.message.content == HELLO


def test_an_answer_keeps_to_a_schema(llm):
    assert llm().as_structured_llm(Person).chat([user(ADA)]).raw == Person(name="Ada", age=36)

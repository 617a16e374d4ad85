"""LangChain's Ollama package, which rides on the official library."""

from __future__ import annotations

import pytest

pytest.importorskip("langchain_ollama", reason="the clients extra is not installed")

from clients.known import ADA, HELLO, LEAKS_CONNECTIONS, OSLO, RAIN, RAINY, user
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from pydantic import BaseModel

pytestmark = LEAKS_CONNECTIONS


@tool
def get_weather(city: str) -> str:
    """Get the current weather of a city"""
    return RAIN


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def llm(url):
    """Return a function that makes a cold chat model."""

    def of(model="tiny-chat", **more):
        return ChatOllama(model=model, base_url=url, temperature=0, validate_model_on_init=True, **more)

    return of


def test_a_model_is_looked_for_in_the_list(llm):
    with pytest.raises(ValueError, match="nope"):
        llm("nope")


def test_a_chat_is_answered_whole_with_its_counts(llm):
    answer = llm(num_ctx=8192).invoke([HumanMessage("Hello")])
    assert answer.content == HELLO
    assert answer.usage_metadata["total_tokens"] > 0
    assert answer.response_metadata["done_reason"] == "stop"


def test_a_chat_is_streamed(llm):
    chunks = list(llm().stream([HumanMessage("Hello")]))
    assert len(chunks) > 2
    assert "".join(chunk.content for chunk in chunks) == HELLO


def test_a_tool_is_called_and_its_result_used(llm):
    bound = llm().bind_tools([get_weather])
    asked = bound.invoke([HumanMessage(OSLO)])
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Oslo"})
    history = [HumanMessage(OSLO), asked, ToolMessage(RAIN, tool_call_id=call["id"])]
    assert bound.invoke(history).content == RAINY


def test_a_history_from_the_client_is_accepted(llm):
    history = [HumanMessage("My name is Rumpel."), AIMessage("Hello Rumpel!"), HumanMessage("What is my name?")]
    assert "Rumpel" in llm().invoke(history).content


def test_thinking_is_in_its_own_field(llm):
    answer = llm("tiny-think", reasoning=True).invoke([HumanMessage("Hello")])
    assert answer.content == HELLO
    assert answer.additional_kwargs["reasoning_content"]


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_an_answer_keeps_to_a_schema(llm, method):
    structured = llm().with_structured_output(Person, method=method)
    assert structured.invoke([user(ADA)]) == Person(name="Ada", age=36)


def test_a_prompt_is_continued(url):
    assert "".join(OllamaLLM(model="tiny-chat", base_url=url, temperature=0).stream("Hello")) == HELLO


def test_texts_become_vectors(url):
    embeddings = OllamaEmbeddings(model="tiny-embed", base_url=url)
    assert [len(vector) for vector in embeddings.embed_documents(["a", "b"])] == [64, 64]
    assert len(embeddings.embed_query("hello")) == 64

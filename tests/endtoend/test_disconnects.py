"""Endless answers arrive word by word, and a client that disconnects stops the engine."""

from __future__ import annotations

import httpx
import ollama
import openai
import pytest
from support.demo import Shim

from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.services import services_of

STORY = [{"role": "user", "content": "Tell me a long story."}]
STOPPED_SECONDS = 1.0


@pytest.fixture(scope="module")
def miniature():
    with MiniLMStudio(MiniSettings(endless=True)) as running:
        yield running


@pytest.fixture(scope="module")
def shim(miniature, tmp_path_factory):
    with Shim(miniature.url, tmp_path_factory.mktemp("shim")) as running:
        httpx.post(f"{running.url}/api/generate", json={"model": "tiny-chat"}, trust_env=False, timeout=30)
        yield running


@pytest.fixture
def client(shim):
    """Ollama's own library."""
    with ollama.Client(host=shim.url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def http(shim):
    with httpx.Client(base_url=shim.url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def stopped(shim, miniature, until):
    """Return a function that waits until the engine and the shim have let go, which must not take long."""
    services = services_of(shim.app)

    def waits():
        until(lambda: miniature.services.loaded_models.open_generations == 0, STOPPED_SECONDS)
        until(lambda: services.slots.in_use == 0 and len(services.backends.first.client.watchdog) == 0)

    return waits


def test_text_arrives_while_the_answer_is_generated(client, miniature, stopped):
    stream = client.chat("tiny-chat", STORY, stream=True)
    words = [next(stream).message.content for _ in range(50)]
    assert len("".join(words)) > 50
    assert miniature.services.loaded_models.open_generations == 1
    stream.close()
    stopped()


ROUTES = {
    "/api/chat": {"messages": STORY},
    "/api/generate": {"prompt": "Tell me a long story."},
    "/v1/chat/completions": {"messages": STORY},
    "/v1/completions": {"prompt": "Once upon a time"},
    "/v1/messages": {"messages": STORY, "max_tokens": 1_000_000},
    "/v1/responses": {"input": "Tell me a long story."},
    "/api/v0/chat/completions": {"messages": STORY},
}


@pytest.mark.parametrize("path", ROUTES)
def test_disconnect_midway_stops_the_engine(http, miniature, stopped, path):
    with http.stream("POST", path, json={"model": "tiny-chat", "stream": True, **ROUTES[path]}) as response:
        assert response.status_code == 200
        blocks = response.iter_bytes()  # kept: httpx closes the connection when it is collected
        assert next(blocks)
        assert miniature.services.loaded_models.open_generations == 1
    stopped()


WHOLE = {
    "/api/chat": {"messages": STORY},
    "/api/generate": {"prompt": "Tell me a long story."},
    # The engine itself works on for a while: it only notices at once who hangs up on a stream.
    "/v1/chat/completions": {"messages": STORY, "max_tokens": 4_000},
}


@pytest.mark.parametrize("path", WHOLE)
def test_leaving_before_a_whole_answer_stops_the_generation(http, stopped, path):
    body = {"model": "tiny-chat", "stream": False, **WHOLE[path]}
    with pytest.raises(httpx.ReadTimeout):
        http.post(path, json=body, timeout=httpx.Timeout(10, read=0.15))
    stopped()


def test_ollamas_library_may_leave(client, miniature, stopped):
    stream = client.generate("tiny-chat", "Tell me a long story.", stream=True)
    assert next(stream).response
    assert miniature.services.loaded_models.open_generations == 1
    stream.close()
    stopped()


def test_openais_library_may_leave(shim, miniature, stopped):
    with openai.OpenAI(base_url=f"{shim.url}/v1", api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(model="tiny-chat", messages=STORY, stream=True)
        next(iter(stream))
        assert miniature.services.loaded_models.open_generations == 1
        stream.close()
    stopped()


def test_several_may_leave_and_others_stay(client, http, miniature, until, stopped):
    leaving = [client.chat("tiny-chat", STORY, stream=True) for _ in range(2)]
    assert all(next(stream).message.content for stream in leaving)
    body = {"model": "tiny-chat", "messages": STORY, "options": {"num_predict": 300}}
    with http.stream("POST", "/api/chat", json=body) as staying:
        lines = staying.iter_lines()
        assert next(lines)
        for stream in leaving:
            stream.close()
        assert '"done":true' in list(lines)[-1]
    stopped()

"""The HTTP chunks of a stream: clients exist that parse each one as a single JSON object."""

from __future__ import annotations

import threading

import pytest
from support.answers import event, streams
from support.apps import served, several_apps
from support.fake_lmstudio import CHAT, FakeLMStudio
from support.raw_http import exchange

BODIES = {
    "/api/chat": {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]},
    "/api/generate": {"model": "tiny", "prompt": "hi"},
}
WORDS = ("One", " two", " three", " four")


@pytest.fixture
def blocks_of(tmp_path):
    """Return a function that gives the chunks of an answer, and a semaphore that every token releases on arrival."""
    arrived = threading.Semaphore(0)

    def received(data):
        if b'"done":false' in data:
            arrived.release()

    def blocks(path, *steps):
        with FakeLMStudio() as studio, several_apps(data_dir=tmp_path / "data") as app_of:
            studio.answers[CHAT] = streams(*steps)
            with served(app_of(backend_url=studio.url)) as port:
                return exchange(port, "POST", path, BODIES[path], received=received).blocks

    return blocks, arrived


@pytest.mark.parametrize("path", BODIES)
def test_a_slow_stream_has_one_line_per_chunk(path, blocks_of):
    blocks, arrived = blocks_of
    steps = [step for word in WORDS for step in (word, lambda _: arrived.acquire(timeout=20))]
    assert [block.count(b"\n") for block in blocks(path, *steps)] == [1] * (len(WORDS) + 1)


@pytest.mark.parametrize("path", BODIES)
def test_tokens_that_arrive_at_once_leave_at_once(path, blocks_of):
    blocks, _ = blocks_of
    assert [block.count(b"\n") for block in blocks(path, b"".join(map(event, WORDS)))] == [len(WORDS), 1]

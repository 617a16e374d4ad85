"""A bug of our own, wherever it is: one error in the client's protocol, one line in the log, and nothing still held."""

from __future__ import annotations

import logging

import pytest
from support.apps import served
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT
from support.wire import send_request

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.inference import streaming
from flask_shim.models.loader import ModelLoader
from flask_shim.routes.naming import Naming
from flask_shim.services import services_of
from flask_shim.translate.answer.answer_reader import AnswerReader
from flask_shim.translate.ollama.records import ChatEncoder


class OurOwnFault(Exception):
    """An exception that no code handles."""


def breaks(*_, **__):
    raise OurOwnFault(f"{PROMPT}\nwith a second line")


def breaks_after(count, function):
    """Return the function, which breaks once it was called so often."""
    calls = []

    def called(*args, **kwargs):
        calls.append(1)
        return breaks() if len(calls) > count else function(*args, **kwargs)

    return called


PLACES = {
    "in a guard": ("flask_shim.middleware.access", "to_host", 0),
    "in a schema": ("flask_shim.routes.ollama", "load_chat", 0),
    "while the name is looked up": (Naming, "resolve", 0),
    "while the payload is made": ("flask_shim.routes.ollama", "chat_payload", 0),
    "while the model is looked at": (ModelLoader, "prepare", 0),
    "in the first event": (AnswerReader, "feed", 0),
    "in the first line": (ChatEncoder, "pieces", 0),
}
LATER = {
    "in a later line": (ChatEncoder, "pieces", 1),
    "in the last line": (ChatEncoder, "finish", 0),
}


@pytest.fixture
def shim(studio, tmp_path, caplog):
    """Serve an application and give its port; check afterwards that nothing is still held."""
    caplog.set_level(logging.INFO)
    app = create_app(Config(backend_url=studio.url, data_dir=tmp_path))
    services = services_of(app)
    with served(app, channel_request_lookahead=1) as port:
        yield int(port)
    assert (
        services.slots.in_use,
        len(services.backends.watchdog),
        services.backends.first.client.open_connections,
    ) == (0, 0, 0)
    services.close()


def break_at(monkeypatch, place, name, count):
    where = __import__(place, fromlist=[name]) if isinstance(place, str) else place
    monkeypatch.setattr(where, name, breaks_after(count, getattr(where, name)))


@pytest.mark.parametrize(
    ("place", "name", "count", "stream"),
    [
        *(pytest.param(*place, True, id=f"{name}, streamed") for name, place in PLACES.items()),
        *(
            pytest.param(*place, False, id=f"{name}, whole")
            for name, place in PLACES.items()
            if name != "in the first line"  # a whole answer is made by another method
        ),
    ],
)
def test_bug_before_the_first_line_is_a_500_without_a_word_about_it(
    shim, studio, monkeypatch, caplog, place, name, count, stream
):
    break_at(monkeypatch, place, name, count)
    answer = send_request(shim, "/api/chat", chat(stream=stream))
    assert (answer.status, answer.json) == (500, {"error": "internal error"})
    assert "outcome=error:internal" in caplog.text
    assert "OurOwnFault" in caplog.text
    studio.until(lambda: not studio.open_at(CHAT))


@pytest.mark.parametrize(("place", "name", "count"), LATER.values(), ids=LATER.keys())
def test_bug_after_the_first_line_is_one_error_line(shim, studio, monkeypatch, caplog, place, name, count):
    break_at(monkeypatch, place, name, count)
    answer = send_request(shim, "/api/chat", chat())
    assert answer.is_whole
    assert [line for line in answer.lines if "error" in line] == [{"error": "internal error"}] == answer.lines[-1:]
    assert "outcome=error:internal" in caplog.text
    studio.until(lambda: not studio.open_at(CHAT))


def test_bug_where_an_answer_begins_closes_the_backend(shim, studio, monkeypatch):
    """Not even an error can be made then; the server has one of its own."""
    monkeypatch.setattr(streaming.Response, "__init__", breaks)
    answer = send_request(shim, "/api/chat", chat())
    assert (answer.status, answer.headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert PROMPT.encode() not in answer.body
    studio.until(lambda: not studio.open_at(CHAT))

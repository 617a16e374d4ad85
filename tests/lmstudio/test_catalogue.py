"""The model list: asked for once, by one thread, of whichever generation the backend turns out to be."""

from __future__ import annotations

import json
import threading

import pytest
import requests
import responses
from support.ports import unused_port
from support.recorded import FILES, OPENAI, V0, V1
from support.scripts import by_path, reads, replies

from flask_shim.errors import (
    BackendBroke,
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    Busy,
)
from flask_shim.lmstudio import Link, catalogue
from flask_shim.lmstudio.catalogue import CONTACT_SECONDS, PROBE_SECONDS, Catalogue
from flask_shim.lmstudio.generations import Generation
from flask_shim.lmstudio.transport import Transport
from flask_shim.lmstudio.turns import Turns

URL = "http://127.0.0.1:1234"
TTL = 30.0
THREADS = 16
UNEXPECTED = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}
LISTS = {Generation.V1: V1, Generation.V0: V0, Generation.OPENAI: OPENAI}


class Backend:
    """A backend whose three lists answer as they are told; anything not told is answered as LM Studio does."""

    def __init__(self, mock):
        self.mock = mock
        for path in FILES:
            self.answers(path, UNEXPECTED)

    def answers(self, generation, body, status=200):
        data = body if isinstance(body, (bytes, Exception)) else json.dumps(body).encode()
        self.mock.upsert(responses.GET, URL + generation.value, body=data, status=status)

    def is_of(self, generation):
        for path in FILES:
            self.answers(path, LISTS[path] if path is generation else UNEXPECTED)

    @property
    def asked(self):
        return [call.request.url.removeprefix(URL) for call in self.mock.calls]


@pytest.fixture
def backend():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Backend(mock)


@pytest.fixture
def models(backend, clock, monkeypatch):
    """A catalogue of that backend, whose clock the test turns."""
    monkeypatch.setattr(catalogue, "time", clock)
    transport = Transport(Link(base_url=URL))
    yield Catalogue(transport, TTL)
    transport.close()


@pytest.mark.parametrize("generation", Generation)
def test_the_generation_is_found_by_what_is_in_the_lists(backend, models, generation):
    backend.is_of(generation)
    assert models.listing().generation is generation
    assert len(models.listing().models) == len(LISTS[generation].get("models") or LISTS[generation]["data"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (UNEXPECTED, 200),
        (UNEXPECTED, 404),
        ({"error": {"message": "Not Found"}}, 404),
        (b"<html>Not Found</html>", 404),
        (b"Method Not Allowed", 405),
        (b"<html>Welcome</html>", 200),
        (b"", 200),
        ({"detail": "Not Found"}, 404),
        ({"models": None}, 200),
        ([], 200),
    ],
)
def test_a_list_that_is_none_leads_to_an_older_generation(backend, models, body, status):
    backend.is_of(Generation.OPENAI)
    backend.answers(Generation.V1, body, status)
    backend.answers(Generation.V0, body, status)
    assert models.listing().generation is Generation.OPENAI


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"error": {"message": "Invalid token"}}, 401, BackendError),
        ({"error": {"message": "Invalid token"}}, 403, BackendError),
        (b"", 500, BackendError),
        (b"", 503, Busy),
        (requests.ConnectTimeout(), 200, BackendUnavailable),
        (requests.ReadTimeout(), 200, BackendTimeout),
    ],
)
def test_a_failure_is_no_sign_of_an_older_generation(backend, models, body, status, kind):
    backend.is_of(Generation.OPENAI)
    backend.answers(Generation.V1, body, status)
    with pytest.raises(kind):
        models.listing()
    assert set(backend.asked) == {Generation.V1.value}


@pytest.mark.parametrize("body", [UNEXPECTED, b"<html>hello</html>", {"data": None}, {}, b"not JSON"])
def test_what_has_no_list_at_all_is_not_lm_studio(backend, models, body):
    for generation in Generation:
        backend.answers(generation, body)
    with pytest.raises(BackendBroke):
        models.listing()


def test_a_list_that_breaks_once_is_asked_for_again(backend, models):
    backend.is_of(Generation.V1)
    backend.mock.replace(responses.GET, URL + Generation.V1.value, body=requests.ConnectionError())
    backend.mock.add(responses.GET, URL + Generation.V1.value, json=V1)
    assert models.listing().generation is Generation.V1
    assert backend.asked == [Generation.V1.value] * 2


def test_a_list_is_believed_for_its_time(backend, models, clock):
    backend.is_of(Generation.V1)
    first = models.listing()
    clock.pass_(TTL - 1)
    assert models.listing() is first
    clock.pass_(2)
    assert models.listing() is not first
    assert backend.asked == [Generation.V1.value] * 2


@pytest.mark.parametrize(("max_age", "asked"), [(None, 1), (10.0, 1), (4.0, 2), (0, 2)])
def test_a_caller_may_want_a_younger_list(backend, models, clock, max_age, asked):
    backend.is_of(Generation.V1)
    models.listing()
    clock.pass_(5)
    models.listing(max_age=max_age)
    assert len(backend.asked) == asked


def test_no_time_to_live_asks_every_time(backend, clock, monkeypatch):
    monkeypatch.setattr(catalogue, "time", clock)
    backend.is_of(Generation.V1)
    transport = Transport(Link(base_url=URL))
    models = Catalogue(transport, 0)
    models.listing()
    models.listing()
    transport.close()
    assert len(backend.asked) == 2


def test_an_expired_list_is_asked_for_again_but_its_generation_is_remembered(backend, models):
    backend.is_of(Generation.OPENAI)
    models.listing()
    models.expire()
    models.listing()
    assert backend.asked[-2:] == [Generation.OPENAI.value] * 2


def test_after_it_was_lost_the_backend_may_be_another_generation(backend, models):
    backend.is_of(Generation.V0)
    assert models.listing().generation is Generation.V0
    backend.is_of(Generation.V1)
    models.lost()
    assert models.listing().generation is Generation.V1


def test_a_failure_makes_it_look_for_the_generation_again(backend, models, clock):
    backend.is_of(Generation.V0)
    models.listing()
    clock.pass_(1)
    backend.answers(Generation.V0, b"", 500)
    with pytest.raises(BackendError):
        models.listing(max_age=0)
    clock.pass_(1)
    backend.is_of(Generation.V1)
    assert models.listing().generation is Generation.V1


def test_a_generation_is_looked_for_anew_now_and_then(backend, models, clock):
    backend.is_of(Generation.V0)
    models.listing()
    backend.is_of(Generation.V1)
    backend.answers(Generation.V0, V0)
    clock.pass_(PROBE_SECONDS - 1)
    assert models.listing().generation is Generation.V0
    clock.pass_(2)
    assert models.listing(max_age=0).generation is Generation.V1


def test_a_generation_that_is_gone_is_looked_for_at_once(backend, models, clock):
    backend.is_of(Generation.V1)
    models.listing()
    clock.pass_(1)
    backend.is_of(Generation.V0)
    assert models.listing(max_age=0).generation is Generation.V0


class CountingTurns(Turns):
    """Turns that know how many threads want one or have it."""

    def __init__(self):
        super().__init__(most_patient=None, patience=0)
        self.wanted = 0
        self._counting = threading.Condition()

    def take(self):
        with self._counting:
            self.wanted += 1
            self._counting.notify_all()
        return super().take()

    def wait_for(self, number):
        with self._counting:
            assert self._counting.wait_for(lambda: self.wanted == number, 10)


def ask_at_once(models, first_answer):
    """Have many threads ask for the list while the first one's request is under way; return what they got."""
    models._turns = CountingTurns()

    def answer(_):
        models._turns.wait_for(THREADS)
        return first_answer

    got = []

    def ask():
        try:
            got.append(models.listing())
        except BackendError as exc:
            got.append(exc)

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    return answer, threads, got


@pytest.mark.parametrize(
    ("answer", "kind"), [((200, {}, json.dumps(V1)), catalogue.Listing), ((500, {}, ""), BackendError)]
)
def test_threads_that_ask_at_the_same_time_share_one_answer(backend, models, answer, kind):
    callback, threads, got = ask_at_once(models, answer)
    backend.mock.remove(responses.GET, URL + Generation.V1.value)
    backend.mock.add_callback(responses.GET, URL + Generation.V1.value, callback)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert backend.asked == [Generation.V1.value]
    assert len(got) == THREADS
    assert len({id(one) for one in got}) == 1
    assert isinstance(got[0], kind)


def test_who_asks_after_a_failure_asks_the_backend_again(backend, models, clock):
    for _ in range(3):
        clock.pass_(1)
        backend.answers(Generation.V1, b"", 500)
        with pytest.raises(BackendError):
            models.listing()
    assert len(backend.asked) == 3


def test_a_list_that_has_to_be_true_now_needs_a_backend_that_is_there(client_of, rude, monkeypatch, clock):
    monkeypatch.setattr(catalogue, "time", clock)
    server = rude(by_path({Generation.V1.value: replies(V1)}))
    client = client_of(server.url)
    first = client.listing(must_answer=True)
    clock.pass_(CONTACT_SECONDS / 2)
    assert client.listing(must_answer=True) is first
    clock.pass_(CONTACT_SECONDS)
    assert client.listing(must_answer=True) is first
    server.stop()
    assert client.listing() is first
    assert client.listing(must_answer=True) is first, "there was contact a moment ago"
    clock.pass_(2 * CONTACT_SECONDS)
    with pytest.raises(BackendUnavailable, match="LM Studio is not reachable"):
        client.listing(must_answer=True)


def test_a_backend_that_went_away_is_not_believed_any_more(client_of):
    client = client_of(f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(BackendUnavailable):
        client.listing()
    with pytest.raises(BackendUnavailable):
        client.listing()


def test_a_list_that_comes_too_late_is_a_timeout(client_of, rude):
    server = rude(reads(lambda peer: peer.hold()))
    with pytest.raises(BackendTimeout, match=r"did not answer GET /api/v1/models within 0.1 s"):
        client_of(server.url, list_timeout=0.1).listing()
    server.until(lambda: server.gone)


def test_lists_share_a_connection(client_of, rude):
    server = rude(by_path({Generation.V1.value: replies(V1)}))
    client = client_of(server.url, catalogue_ttl=0)
    for _ in range(3):
        client.listing()
    assert (len(server.asked), server.connections) == (3, 1)


def test_a_connection_that_was_closed_meanwhile_is_replaced(client_of, rude):
    server = rude(reads(replies(V1)))
    client = client_of(server.url, catalogue_ttl=0)
    for _ in range(3):
        assert client.models()
        server.until(lambda: not server.open)
    assert (len(server.asked), server.connections) == (3, 3)

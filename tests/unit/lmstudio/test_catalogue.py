"""Which api_version a backend is of is seen by what is in its lists."""

from __future__ import annotations

import json
import threading

import pytest
import requests
import responses
from support.answers import by_path, reads, replies
from support.model_lists import UNEXPECTED, URL
from support.ports import unused_port
from support.recorded import V0, V1, recorded

from flask_shim.lmstudio import ClientOptions, catalogue
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.catalogue import CONTACT_SECONDS, PROBE_SECONDS, ModelListCache
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    ServerBusy,
)
from flask_shim.lmstudio.http.transport import Transport
from flask_shim.lmstudio.http.waiters import BoundedWaiters


@pytest.mark.parametrize("api_version", ApiVersion)
def test_the_generation_is_found_by_what_is_in_the_lists(backend, models, api_version):
    backend.set_version(api_version)
    assert models.listing().api_version is api_version
    assert len(models.listing().models) == len(recorded(api_version).get("models") or recorded(api_version)["data"])


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
    backend.set_version(ApiVersion.OPENAI)
    backend.set_list(body, ApiVersion.V1, status)
    backend.set_list(body, ApiVersion.V0, status)
    assert models.listing().api_version is ApiVersion.OPENAI


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"error": {"message": "Invalid token"}}, 401, BackendError),
        ({"error": {"message": "Invalid token"}}, 403, BackendError),
        (b"", 500, BackendError),
        (b"", 503, ServerBusy),
        (requests.ConnectTimeout(), 200, BackendUnavailable),
        (requests.ReadTimeout(), 200, BackendTimeout),
    ],
)
def test_a_failure_is_no_sign_of_an_older_generation(backend, models, body, status, kind):
    backend.set_version(ApiVersion.OPENAI)
    backend.set_list(body, ApiVersion.V1, status)
    with pytest.raises(kind):
        models.listing()
    assert set(backend.paths) == {ApiVersion.V1.value}


@pytest.mark.parametrize("body", [UNEXPECTED, b"<html>hello</html>", {"data": None}, {}, b"not JSON"])
def test_what_has_no_list_at_all_is_not_lm_studio(backend, models, body):
    for api_version in ApiVersion:
        backend.set_list(body, api_version)
    with pytest.raises(BackendProtocolError):
        models.listing()


def test_a_list_that_breaks_once_is_requested_again(backend, models):
    backend.set_version(ApiVersion.V1)
    backend.mock.replace(responses.GET, URL + ApiVersion.V1.value, body=requests.ConnectionError())
    backend.mock.add(responses.GET, URL + ApiVersion.V1.value, json=V1)
    assert models.listing().api_version is ApiVersion.V1
    assert backend.paths == [ApiVersion.V1.value] * 2


TTL = 30.0
THREADS = 16


def test_a_list_is_cached_for_its_time(backend, models, clock):
    backend.set_version(ApiVersion.V1)
    first = models.listing()
    clock.pass_(TTL - 1)
    assert models.listing() is first
    clock.pass_(2)
    assert models.listing() is not first
    assert backend.paths == [ApiVersion.V1.value] * 2


@pytest.mark.parametrize(("max_age", "asked"), [(None, 1), (10.0, 1), (4.0, 2), (0, 2)])
def test_a_caller_may_want_a_younger_list(backend, models, clock, max_age, asked):
    backend.set_version(ApiVersion.V1)
    models.listing()
    clock.pass_(5)
    models.listing(max_age=max_age)
    assert len(backend.paths) == asked


def test_a_list_of_the_same_clock_tick_is_not_a_new_one(backend, models, clock):
    backend.set_version(ApiVersion.V1)
    first = models.listing()
    assert models.listing(max_age=0) is not first


def test_without_a_cache_each_lookup_is_a_request(backend, clock, monkeypatch):
    monkeypatch.setattr(catalogue, "time", clock)
    backend.set_version(ApiVersion.V1)
    transport = Transport(ClientOptions(base_url=URL))
    models = ModelListCache(transport, 0)
    models.listing()
    models.listing()
    transport.close()
    assert len(backend.paths) == 2


def test_an_expired_list_is_requested_again_with_its_known_version(backend, models):
    backend.set_version(ApiVersion.OPENAI)
    models.listing()
    models.expire()
    models.listing()
    assert backend.paths[-2:] == [ApiVersion.OPENAI.value] * 2


def test_after_it_was_lost_the_backend_may_be_another_generation(backend, models):
    backend.set_version(ApiVersion.V0)
    assert models.listing().api_version is ApiVersion.V0
    backend.set_version(ApiVersion.V1)
    models.forget()
    assert models.listing().api_version is ApiVersion.V1


def test_a_failure_makes_it_look_for_the_generation_again(backend, models, clock):
    backend.set_version(ApiVersion.V0)
    models.listing()
    clock.pass_(1)
    backend.set_list(b"", ApiVersion.V0, 500)
    with pytest.raises(BackendError):
        models.listing(max_age=0)
    clock.pass_(1)
    backend.set_version(ApiVersion.V1)
    assert models.listing().api_version is ApiVersion.V1


def test_the_api_version_is_detected_again_after_a_while(backend, models, clock):
    backend.set_version(ApiVersion.V0)
    models.listing()
    backend.set_version(ApiVersion.V1)
    backend.set_list(V0, ApiVersion.V0)
    clock.pass_(PROBE_SECONDS - 1)
    assert models.listing().api_version is ApiVersion.V0
    clock.pass_(2)
    assert models.listing(max_age=0).api_version is ApiVersion.V1


def test_a_missing_api_version_is_detected_again_at_once(backend, models, clock):
    backend.set_version(ApiVersion.V1)
    models.listing()
    clock.pass_(1)
    backend.set_version(ApiVersion.V0)
    assert models.listing(max_age=0).api_version is ApiVersion.V0


class CountingQueue(BoundedWaiters):
    """Knows how many threads want a turn or have it."""

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
    models._queue = CountingQueue()

    def answer(_):
        models._queue.wait_for(THREADS)
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
    backend.mock.remove(responses.GET, URL + ApiVersion.V1.value)
    backend.mock.add_callback(responses.GET, URL + ApiVersion.V1.value, callback)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert backend.paths == [ApiVersion.V1.value]
    assert len(got) == THREADS
    assert len({id(one) for one in got}) == 1
    assert isinstance(got[0], kind)


def test_the_list_is_requested_again_after_a_failure(backend, models, clock):
    for _ in range(3):
        clock.pass_(1)
        backend.set_list(b"", ApiVersion.V1, 500)
        with pytest.raises(BackendError):
            models.listing()
    assert len(backend.paths) == 3


def test_a_fresh_list_needs_a_reachable_backend(client_of, socket_server, monkeypatch, clock):
    monkeypatch.setattr(catalogue, "time", clock)
    server = socket_server(by_path({ApiVersion.V1.value: replies(V1)}))
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


def test_an_unreachable_backend_fails_every_lookup(client_of):
    client = client_of(f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(BackendUnavailable):
        client.listing()
    with pytest.raises(BackendUnavailable):
        client.listing()


def test_a_late_list_is_a_timeout(client_of, socket_server):
    server = socket_server(reads(lambda peer: peer.hold()))
    with pytest.raises(BackendTimeout, match=r"did not answer GET /api/v1/models within 0.1 s"):
        client_of(server.url, list_timeout=0.1).listing()
    server.until(lambda: server.gone)


def test_lists_share_a_connection(client_of, socket_server):
    server = socket_server(by_path({ApiVersion.V1.value: replies(V1)}))
    client = client_of(server.url, catalogue_ttl=0)
    for _ in range(3):
        client.listing()
    assert (len(server.asked), server.connections) == (3, 1)


def test_a_connection_that_was_closed_meanwhile_is_replaced(client_of, socket_server):
    server = socket_server(reads(replies(V1)))
    client = client_of(server.url, catalogue_ttl=0)
    for _ in range(3):
        assert client.models()
        server.until(lambda: not server.open)
    assert (len(server.asked), server.connections) == (3, 3)

"""Front proxies at their limits: what they tell the shim, and what they say when it is they who refuse."""

from __future__ import annotations

import pytest
from support.answers import by_path, endless, replies, silent, streams
from support.fake_lmstudio import CHAT
from support.front_proxies import HOST, PROGRAMS, FrontProxy
from support.peer import Peer
from support.ports import unused_port
from support.processes import ShimProcess
from support.wire import Wire, answer_in, request

from flask_shim.config import Config
from flask_shim.deploy.rendering import CLUSTERS

HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
NGINX = [name for name in PROGRAMS if name.startswith("nginx")]
QUICK = {"proxy_read_timeout 630s": "proxy_read_timeout 1s"}
OLD_HTTP = {"proxy_http_version 1.1": "proxy_http_version 1.0"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_proxy_forwards_client_address_and_host(name, socket_server):
    shim = socket_server(by_path({"/api/version": replies({"version": "1"})}))
    forged = {"Host": "models.example.org:99", "X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "gopher"}
    with FrontProxy(name, [shim.port]) as front:
        assert front.ask("/api/version", headers=forged).status == 200
        scheme = "https" if front.tls else "http"
    (heard,) = shim.asked_for("/api/version")
    assert heard.headers["host"] == "models.example.org:99"
    assert heard.headers["x-forwarded-for"] == "127.0.0.1"
    assert heard.headers["x-forwarded-proto"] == scheme
    assert heard.headers.get("connection", "keep-alive") == "keep-alive"


@pytest.mark.parametrize("name", PROGRAMS)
def test_connections_to_the_shim_are_kept(name, socket_server):
    shim = socket_server(by_path({"/api/version": replies({"version": "1"}), "/ready": replies({})}))
    with FrontProxy(name, [shim.port]) as front:
        connection = front.kept()
        for _ in range(3):
            connection.request("GET", "/api/version")
            assert connection.getresponse().read()
        connection.close()
    # A cluster has two entries, each with connections of its own.
    assert max(len(peer.asked) for peer in shim.peers) > 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_missing_shim_is_reported_as_json(name):
    with FrontProxy(name, [unused_port()]) as front:
        answer = front.ask("/api/chat", HELLO)
    is_cluster = name in CLUSTERS
    assert answer.status == (503 if is_cluster else 502)
    assert ("no shim took the request" if is_cluster else "cannot reach") in answer.json["error"]
    assert answer.headers.get("retry-after") == ("1" if is_cluster else None)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_upload_above_the_limit_is_rejected_as_json(name, socket_server):
    shim = socket_server(by_path({}))
    announced = {"Content-Length": str(Config().max_request_bytes + 1)}
    with FrontProxy(name, [shim.port]) as front, front.wire("/api/chat", b"", headers=announced) as wire:
        answer = answer_in(wire.until(b"}"))  # and not to the end: nginx waits for the body before it closes
    assert answer.status == 413
    assert "too large" in answer.json["error"]
    assert shim.asked_for("/api/chat") == []


@pytest.mark.parametrize("name", NGINX)
def test_a_timeout_of_the_shim_is_reported_as_json(name, shim, studio):
    studio.answers[CHAT] = silent
    with FrontProxy(name, [shim.port], QUICK) as front:
        answer = front.ask("/api/chat", HELLO)
    assert answer.status == 504
    assert "in time" in answer.json["error"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_shim_that_is_killed_leaves_its_answer_unfinished(name, studio):
    studio.answers[CHAT] = endless()
    with ShimProcess(studio.url, SHIM_ALLOWED_HOSTS=HOST) as shim, FrontProxy(name, [shim.port]) as front:
        wire = front.wire("/api/chat", HELLO)
        wire.until(b"tok")
        shim.kill()
        assert not wire.answer().is_whole
        wire.close()


@pytest.mark.parametrize(
    ("steps", "last"),
    [(("one", "two"), "done"), (("one", Peer.reset), "error")],
    ids=["complete", "broken off"],
)
def test_last_line_states_the_end_over_http_1_0(shim, studio, steps, last):
    studio.answers[CHAT] = streams(*steps, ends=last == "done")
    with FrontProxy("nginx", [shim.port], OLD_HTTP) as front:
        answer = front.ask("/api/chat", HELLO)
    assert answer.lines[0]["message"]["content"] == "one"
    assert answer.lines[-1][last]


def test_numbers_are_shown_to_this_machine_only(shim):
    with FrontProxy("nginx-tls", [shim.port]) as front:
        seen = {address: metrics_for(address, front) for address in ("127.0.0.1", "127.0.0.2")}
    assert seen == {"127.0.0.1": 200, "127.0.0.2": 403}


def metrics_for(address, front):
    connection = front.kept(address)
    connection.request("GET", "/metrics", headers={"Host": front.host})
    status = connection.getresponse().status
    connection.close()
    return status


def test_too_many_requests_of_one_client_are_refused_as_json(shim, studio):
    studio.answers[CHAT] = endless()
    one = {"flask_shim_clients 16": "flask_shim_clients 1"}
    with FrontProxy("nginx-tls", [shim.port], one) as front, front.wire("/api/chat", HELLO) as wire:
        wire.until(b"tok")
        answer = front.ask("/api/version")
    assert answer.status == 503
    assert "at the same time" in answer.json["error"]


def test_plain_http_on_the_tls_port_is_rejected(shim):
    with FrontProxy("nginx-tls", [shim.port]) as front, Wire(front.port) as wire:
        wire.send(request("/api/tags"))
        assert wire.answer().status == 400

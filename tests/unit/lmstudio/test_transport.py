"""One request at a backend with bad manners: sent once, failing in words that name LM Studio."""

from __future__ import annotations

import time

import pytest
import urllib3.util.connection
from support.answers import by_path, reads, replies
from support.ports import unused_port
from support.transport_requests import CHAT, LIST, get_list, post, read_body

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import BackendProtocolError, BackendUnavailable
from flask_shim.lmstudio.http import _urllib3


def test_a_refused_connection_names_lm_studio_and_its_address(client_of):
    url = f"http://127.0.0.1:{unused_port()}"
    with pytest.raises(BackendUnavailable) as caught:
        post(client_of(url))
    assert f"LM Studio is not reachable at {url} (connection refused)" in caught.value.text
    assert "lms server start" in caught.value.text


def test_an_unknown_name_is_reported_as_such(client_of):
    with pytest.raises(BackendUnavailable, match="its name cannot be resolved"):
        post(client_of("http://no-such-host.invalid:1"))


def test_a_backend_that_does_not_take_connections_is_given_up(client_of, monkeypatch):
    def never(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(urllib3.util.connection, "create_connection", never)
    with pytest.raises(BackendUnavailable, match="no answer to the connection attempt"):
        post(client_of("http://127.0.0.1:1", connect_timeout=0.1))


@pytest.fixture
def refused(monkeypatch):
    """Refuse the first connections; return a function that says how many, and a list of the attempts."""
    attempts, connect = [], urllib3.util.connection.create_connection

    def refusing(number):
        def create_connection(*args, **kwargs):
            attempts.append(args)
            if len(attempts) <= number:
                raise ConnectionRefusedError
            return connect(*args, **kwargs)

        monkeypatch.setattr(urllib3.util.connection, "create_connection", create_connection)
        return attempts

    return refusing


def test_the_time_to_connect_is_no_limit_for_sending(client_of, socket_server):
    body = b"x" * 30_000_000  # more than sockets hold

    def slow(peer):
        time.sleep(0.5)  # several times what connecting may take
        peer.read()
        replies({"ok": True})(peer)

    with post(client_of(socket_server(slow).url, connect_timeout=0.1), body=body) as answer:
        assert answer.read_all(1 << 20) == b'{"ok": true}'


def test_a_list_is_requested_again_after_a_kept_connection_closed(client_of, socket_server):
    def closes_on_the_second(peer):
        peer.read()
        replies({"data": []})(peer)
        peer.read()

    server = socket_server(closes_on_the_second)
    client = client_of(server.url)
    assert [get_list(client) for _ in range(3)] == [{"data": []}] * 3
    assert server.connections == 3


def test_a_connection_is_tried_again_and_the_request_sent_once(client_of, socket_server, refused):
    server = socket_server(reads(replies({"ok": True})))
    attempts = refused(2)
    assert read_body(client_of(server.url, connect_retries=2)) == b'{"ok": true}'
    assert (len(attempts), len(server.asked)) == (3, 1)


def test_connections_are_tried_no_more_often_than_allowed(client_of, refused):
    attempts = refused(9)
    with pytest.raises(BackendUnavailable):
        post(client_of("http://127.0.0.1:1", connect_retries=2))
    assert len(attempts) == 3


def reset(peer):
    peer.reset()


def garbage(peer):
    peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def half_a_head(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


def too_many_headers(peer):
    peer.head(**{f"x_{number}": 1 for number in range(200)})


def endless_header(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


@pytest.mark.parametrize("fault", [reset, garbage, half_a_head, too_many_headers, endless_header, lambda _: None])
@pytest.mark.parametrize("retries", [0, 3])
def test_a_generation_whose_head_breaks_is_not_sent_again(client_of, socket_server, fault, retries):
    server = socket_server(reads(fault))
    with pytest.raises(BackendProtocolError):
        post(client_of(server.url, connect_retries=retries))
    assert (server.connections, len(server.asked)) == (1, 1)


def test_list_whose_head_breaks_is_requested_once_more(client_of, socket_server):
    server = socket_server(reads(half_a_head))
    with pytest.raises(BackendProtocolError):
        get_list(client_of(server.url))
    assert server.connections == 2


@pytest.mark.parametrize("status", ["500 X", "503 X", "429 X"])
def test_a_refused_generation_is_not_sent_again(client_of, socket_server, status):
    server = socket_server(reads(replies("", status, retry_after=1)))
    with post(client_of(server.url, connect_retries=3)) as answer:
        assert answer.status == int(status[:3])
    assert len(server.asked) == 1


def keeps(*answers):
    """Answer several requests on one connection."""

    def script(peer):
        for answer in answers:
            peer.read()
            answer(peer)

    return script


def test_generations_reuse_a_connection(client_of, socket_server):
    server = socket_server(by_path({CHAT: replies({})}))
    client = client_of(server.url)
    assert [read_body(client) for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 1


@pytest.mark.parametrize("options", [{"max_keepalive_connections": 0}, {}])
def test_requests_that_change_something_do_not_reuse_one(client_of, socket_server, options):
    path = CHAT if options else "/api/v1/models/load"
    server = socket_server(by_path({path: replies({})}))
    client = client_of(server.url, **options)
    for _ in range(2):
        client.open("POST", path, BackendCall(), b"{}").close()
    server.until(lambda: len(server.gone) == 2)


def test_a_connection_that_was_idle_too_long_is_not_reused(client_of, socket_server, monkeypatch):
    monkeypatch.setattr(_urllib3, "MAX_IDLE_SECONDS", -1)
    server = socket_server(by_path({CHAT: replies({})}))
    client = client_of(server.url)
    assert [read_body(client) for _ in range(2)] == [b"{}", b"{}"]
    assert server.connections == 2


def test_a_connection_whose_answer_was_not_read_is_not_reused(client_of, socket_server):
    server = socket_server(by_path({CHAT: replies({})}))
    client = client_of(server.url)
    post(client).close()
    assert read_body(client) == b"{}"
    assert server.connections == 2


@pytest.mark.parametrize(
    "response",
    [
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Content-Length: 2\r\n\r\n{}",
        b"Content-Length: 0\r\n\r\n",
    ],
    ids=["chunked", "with a length", "empty"],
)
@pytest.mark.parametrize(("more", "connections"), [(b"", 1), (b"HTTP/1.1 200 OK\r\n\r\n", 2)])
def test_bytes_after_the_body_end_the_connection(client_of, socket_server, response, more, connections):
    server = socket_server(by_path({CHAT: lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n" + response + more)}))
    client = client_of(server.url)
    assert read_body(client) == read_body(client) == (b"{}" if b"{}" in response else b"")
    assert server.connections == connections


@pytest.mark.parametrize(
    ("head", "connections"),
    [(b"HTTP/1.1 200 OK\r\n", 1), (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 2), (b"HTTP/1.0 200 OK\r\n", 2)],
)
def test_connection_closes_if_the_head_says_close(client_of, socket_server, head, connections):
    server = socket_server(by_path({CHAT: lambda peer: peer.send(head + b"Content-Length: 2\r\n\r\n{}")}))
    client = client_of(server.url)
    assert [read_body(client) for _ in range(2)] == [b"{}", b"{}"]
    assert server.connections == connections


def test_response_closed_twice_leaves_its_connection_to_the_next(client_of, socket_server):
    server = socket_server(by_path({CHAT: replies({})}))
    client = client_of(server.url)
    first = post(client)
    first.read_all(10)
    first.close()
    with post(client) as second:
        first.close()
        assert second.read_all(10) == b"{}"
    assert server.connections == 1


def test_no_more_connections_are_kept_than_allowed(client_of, socket_server):
    server = socket_server(by_path({CHAT: replies({})}))
    client = client_of(server.url, max_keepalive_connections=2)
    responses = [post(client) for _ in range(3)]
    for response in responses:
        response.read_all(10)
        response.close()
    server.until(lambda: len(server.gone) == 1)
    client.close()
    server.until(lambda: len(server.gone) == 3)


def test_interim_responses_are_skipped(client_of, socket_server):
    def answer(peer):
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 2")
        peer.drip(b"00 OK\r\nContent-Length: 2\r\n\r\n{}", 0.001)

    with post(client_of(socket_server(reads(answer)).url)) as response:
        assert (response.status, response.read_all(10)) == (200, b"{}")


@pytest.mark.parametrize("closing", [reset, lambda _: None])
def test_a_generation_is_repeated_if_its_connection_was_closing(client_of, socket_server, closing):
    server = socket_server(keeps(replies({}), closing))
    client = client_of(server.url)
    assert [read_body(client) for _ in range(2)] == [b"{}", b"{}"]
    assert (server.connections, len(server.asked)) == (2, 3)


@pytest.mark.parametrize("seconds", [1.0, 0.0])
def test_other_failures_on_a_kept_connection_are_not_repeated(client_of, socket_server, monkeypatch, seconds):
    monkeypatch.setattr(_urllib3, "RACE_SECONDS", seconds)
    server = socket_server(keeps(replies({}), garbage if seconds else reset))
    client = client_of(server.url)
    read_body(client)
    with pytest.raises(BackendProtocolError):
        post(client)
    assert (server.connections, len(server.asked)) == (1, 2)


def test_the_body_and_its_headers_arrive(client_of, socket_server):
    server = socket_server(reads(replies({})))
    body = '{"text":"こんにちは"}'.encode()
    post(client_of(server.url), body=body).close()
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.body) == ("POST", CHAT, body)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"


def test_the_token_is_sent_and_nothing_without_one(client_of, socket_server):
    server = socket_server(reads(replies({})))
    post(client_of(server.url, token="lms-secret")).close()
    post(client_of(server.url)).close()
    assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer lms-secret", None]


def test_cookies_are_not_kept(client_of, socket_server):
    server = socket_server(by_path({LIST: replies({"models": []}, set_cookie="session=1; Path=/")}))
    client = client_of(server.url)
    for _ in range(2):
        get_list(client)
    assert [asked.headers.get("cookie") for asked in server.asked] == [None, None]


@pytest.mark.parametrize("status", ["301 X", "302 X", "307 X", "308 X"])
def test_redirects_are_not_followed(client_of, socket_server, status):
    elsewhere = socket_server(reads(replies({})))
    server = socket_server(reads(replies("", status, location=elsewhere.url + CHAT)))
    with pytest.raises(BackendProtocolError, match="unexpected redirect"):
        get_list(client_of(server.url))
    with post(client_of(server.url)) as answer:
        assert answer.status == int(status[:3])
    assert elsewhere.connections == 0


def test_the_environment_does_not_reroute_or_sign_requests(client_of, socket_server, monkeypatch, tmp_path):
    server, proxy = socket_server(reads(replies({}))), socket_server(reads(replies({})))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    post(client_of(server.url, token="ours")).close()
    assert proxy.connections == 0
    assert server.asked[0].headers["authorization"] == "Bearer ours"


@pytest.mark.parametrize("size", [10, 3 * _urllib3.ONE_PACKET])
def test_a_body_of_any_size_arrives_behind_its_head(client_of, socket_server, size):
    server = socket_server(reads(replies({})))
    with post(client_of(server.url), body=b"x" * size) as answer:
        assert answer.read_all(0) == b"{}"
    assert server.asked[0].body == b"x" * size

"""One request at a backend with bad manners: sent once, read as it arrives, failing in words that name LM Studio."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
import urllib3.util.connection
from support.ports import unused_port
from support.scripts import by_path, reads, replies

from flask_shim.errors import (
    BackendBroke,
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    Busy,
    ClientGone,
)
from flask_shim.lmstudio import Call
from flask_shim.lmstudio.generations import Generation

LIST = Generation.V1.value
CHAT = "/v1/chat/completions"


def post(client, call=None, body=b"{}"):
    """Send a generation and return its open answer."""
    return client.open("POST", CHAT, call or Call(), body)


def exchanged(client, timeout=5.0):
    return client._transport.exchange("GET", LIST, timeout=timeout)


def body_of(client):
    with post(client) as answer:
        return answer.read_all(1 << 20)


# --- no connection ---


def test_a_refused_connection_names_lm_studio_and_where_it_was_looked_for(client_of):
    url = f"http://127.0.0.1:{unused_port()}"
    with pytest.raises(BackendUnavailable) as caught:
        post(client_of(url))
    assert f"LM Studio is not reachable at {url} (connection refused)" in caught.value.text
    assert "lms server start" in caught.value.text


def test_a_name_nobody_knows_is_said_to_be_that(client_of):
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


def test_a_connection_is_tried_again_and_the_request_sent_once(client_of, rude, refused):
    server = rude(reads(replies({"ok": True})))
    attempts = refused(2)
    assert body_of(client_of(server.url, connect_retries=2)) == b'{"ok": true}'
    assert (len(attempts), len(server.asked)) == (3, 1)


def test_connections_are_tried_no_more_often_than_allowed(client_of, refused):
    attempts = refused(9)
    with pytest.raises(BackendUnavailable):
        post(client_of("http://127.0.0.1:1", connect_retries=2))
    assert len(attempts) == 3


# --- sent once ---


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


@pytest.mark.parametrize("fault", [reset, garbage, too_many_headers, endless_header, lambda _: None])
@pytest.mark.parametrize("retries", [0, 3])
def test_a_generation_whose_head_breaks_is_not_sent_again(client_of, rude, fault, retries):
    server = rude(reads(fault))
    with pytest.raises(BackendBroke):
        post(client_of(server.url, connect_retries=retries))
    assert (server.connections, len(server.asked)) == (1, 1)


def test_half_a_head_is_half_an_answer(client_of, rude):
    server = rude(reads(half_a_head))
    with pytest.raises(BackendBroke):
        exchanged(client_of(server.url))
    assert server.connections == 1


@pytest.mark.parametrize("status", ["500 X", "503 X", "429 X"])
def test_a_refused_generation_is_not_sent_again(client_of, rude, status):
    server = rude(reads(replies("", status, retry_after=1)))
    with post(client_of(server.url, connect_retries=3)) as answer:
        assert answer.status == int(status[:3])
    assert len(server.asked) == 1


def test_generations_travel_on_connections_of_their_own(client_of, rude):
    server = rude(reads(replies({}, connection="close")))
    client = client_of(server.url)
    assert [body_of(client) for _ in range(2)] == [b"{}", b"{}"]
    assert [asked.headers["connection"] for asked in server.asked] == ["close", "close"]


def test_a_generations_connection_is_closed_also_if_the_backend_would_keep_it(client_of, rude):
    server = rude(by_path({CHAT: replies({})}))
    client = client_of(server.url)
    assert [body_of(client) for _ in range(2)] == [b"{}", b"{}"]
    server.until(lambda: len(server.gone) == 2)


# --- what is sent, and what is not ---


def test_the_body_and_its_headers_arrive(client_of, rude):
    server = rude(reads(replies({})))
    body = '{"text":"こんにちは"}'.encode()
    post(client_of(server.url), body=body).close()
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.body) == ("POST", CHAT, body)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"


def test_the_token_is_sent_and_nothing_without_one(client_of, rude):
    server = rude(reads(replies({})))
    post(client_of(server.url, token="lms-secret")).close()
    post(client_of(server.url)).close()
    assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer lms-secret", None]


def test_cookies_are_not_kept(client_of, rude):
    server = rude(by_path({LIST: replies({"models": []}, set_cookie="session=1; Path=/")}))
    client = client_of(server.url)
    for _ in range(2):
        exchanged(client)
    assert [asked.headers.get("cookie") for asked in server.asked] == [None, None]


@pytest.mark.parametrize("status", ["301 X", "302 X", "307 X", "308 X"])
def test_redirects_are_not_followed(client_of, rude, status):
    elsewhere = rude(reads(replies({})))
    server = rude(reads(replies("", status, location=elsewhere.url + CHAT)))
    with pytest.raises(BackendBroke, match="unexpected redirect"):
        exchanged(client_of(server.url))
    with post(client_of(server.url)) as answer:
        assert answer.status == int(status[:3])
    assert elsewhere.connections == 0


def test_the_environment_does_not_reroute_or_sign_requests(client_of, rude, monkeypatch, tmp_path):
    server, proxy = rude(reads(replies({}))), rude(reads(replies({})))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    post(client_of(server.url, token="ours")).close()
    assert proxy.connections == 0
    assert server.asked[0].headers["authorization"] == "Bearer ours"


# --- bodies ---


def chunked(*blocks, ends=True):
    def answer(peer):
        peer.head(content_type="application/json", transfer_encoding="chunked")
        for block in blocks:
            peer.chunk(block)
        if ends:
            peer.chunk(b"")
        peer.sock.close()

    return answer


def until_closed(*blocks):
    def answer(peer):
        peer.head(content_type="application/json", connection="close")
        for block in blocks:
            peer.send(block)
        peer.sock.close()

    return answer


def measured(*blocks, missing=0):
    def answer(peer):
        peer.head(content_type="application/json", content_length=sum(map(len, blocks)) + missing)
        for block in blocks:
            peer.send(block)
        if missing:
            peer.sock.close()

    return answer


FRAMINGS = [chunked, until_closed, measured]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("blocks", [(b'{"a":', b"1}"), (), (b"x" * 300_000, b"\r\n0\r\n\r\n")])
def test_a_body_is_read_whatever_its_framing(client_of, rude, framing, blocks):
    server = rude(reads(framing(*blocks)))
    assert body_of(client_of(server.url)) == b"".join(blocks)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_block_is_there_as_soon_as_it_was_sent(client_of, rude, framing):
    seen = threading.Event()

    class Second(bytes):
        """Bytes that are sent only when the first ones have been read."""

    def wait(block):
        if isinstance(block, Second):
            assert seen.wait(5)
        return block

    def script(peer):
        send, chunk = peer.send, peer.chunk
        peer.send = lambda data: send(wait(data))
        peer.chunk = lambda data: chunk(wait(data))
        framing(b"first", Second(b"second"))(peer)

    server = rude(reads(script))
    with post(client_of(server.url)) as answer:
        assert answer.read() == b"first"
        seen.set()
        assert answer.read_all(100) == b"second"


CUT = {
    "chunked": chunked(b'{"a":', ends=False),
    "measured": measured(b'{"a":', missing=7),
    "in the middle of a chunk": lambda peer: (
        peer.head(transfer_encoding="chunked"),
        peer.send(b'9\r\n{"a"'),
        peer.sock.close(),
    ),
    "reset": lambda peer: (peer.head(content_length=10), peer.send(b"{"), peer.reset()),
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_a_body_that_is_cut_is_never_taken_for_whole(client_of, rude, answer):
    server = rude(reads(answer))
    with pytest.raises(BackendBroke, match="closed the connection before its answer was complete"):
        body_of(client_of(server.url))
    server = rude(reads(answer))
    with pytest.raises(BackendBroke):
        exchanged(client_of(server.url))


def test_garbled_framing_is_said_to_be_garbled(client_of, rude):
    server = rude(reads(lambda peer: (peer.head(transfer_encoding="chunked"), peer.send(b"zz\r\nhello"))))
    with pytest.raises(BackendBroke, match="garbled"):
        body_of(client_of(server.url))


NO_JSON = {
    "a web page": replies("<html>Welcome to nginx!</html>", content_type="text/html"),
    "nothing": replies(""),
    "half an object": replies('{"models": ['),
}


@pytest.mark.parametrize("answer", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_is_the_backends_fault_and_never_shown(client_of, rude, answer):
    server = rude(reads(answer))
    with pytest.raises(BackendBroke, match=r"^LM Studio's answer is not JSON$"):
        exchanged(client_of(server.url))


def test_an_error_with_status_200_is_an_error(client_of, rude):
    server = rude(reads(replies({"error": "Something else"})))
    with pytest.raises(BackendError, match="Something else"):
        exchanged(client_of(server.url))


def test_a_compressed_body_is_refused_without_being_unpacked(client_of, rude):
    bomb = gzip.compress(json.dumps({"models": ["x" * 10_000_000]}).encode())
    server = rude(reads(replies(bomb, content_encoding="gzip")))
    with pytest.raises(BackendBroke, match="encoded with gzip though nothing was asked for"):
        exchanged(client_of(server.url))


def test_an_answer_that_is_too_long_is_given_up_in_the_middle(client_of, rude):
    sent = []

    def answer(peer):
        peer.head(content_type="application/json", transfer_encoding="chunked")
        while True:
            peer.chunk(b"x" * 10_000)
            sent.append(1)

    server = rude(reads(answer))
    with pytest.raises(BackendBroke, match="longer than 50000 bytes"):
        exchanged(client_of(server.url, max_answer_bytes=50_000))
    server.until(lambda: server.gone)
    assert len(sent) < 5000


# --- time, and hanging up ---


def silent(peer):
    peer.hold()


def dripping(peer):
    peer.drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + b"X-A: b\r\n" * 1000, 0.01)


def silent_after_the_head(peer):
    peer.head(content_type="application/json", transfer_encoding="chunked")
    peer.chunk(b"{")
    peer.hold()


@pytest.mark.parametrize("answer", [silent, dripping, silent_after_the_head])
def test_a_backend_that_is_too_slow_is_hung_up(client_of, rude, answer):
    server = rude(reads(answer))
    with pytest.raises(BackendTimeout, match=r"did not answer GET /api/v1/models within 0.1 s"):
        exchanged(client_of(server.url), timeout=0.1)
    server.until(lambda: server.gone)


@pytest.mark.parametrize("answer", [silent, dripping])
def test_who_leaves_while_waiting_for_the_head_hangs_up_the_backend(client_of, rude, answer):
    server = rude(reads(answer))
    client = client_of(server.url)
    call = Call(lambda: bool(server.asked))
    with client.watchdog.watch(call), pytest.raises(ClientGone):
        post(client, call)
    server.until(lambda: server.gone, seconds=1)


@pytest.mark.parametrize("framing", ["chunked", "until closed", "measured"])
def test_who_leaves_in_the_middle_of_a_body_hangs_up_the_backend(client_of, rude, framing):
    headers = {"chunked": {"transfer_encoding": "chunked"}, "until closed": {}, "measured": {"content_length": 100}}

    def answer(peer):
        peer.head(content_type="text/event-stream", **headers[framing])
        (peer.chunk if framing == "chunked" else peer.send)(b"data")
        peer.hold()

    server = rude(reads(answer))
    client = client_of(server.url)
    gone = threading.Event()
    call = Call(gone.is_set)
    with client.watchdog.watch(call), post(client, call) as answer:
        assert answer.read() == b"data"
        gone.set()
        with pytest.raises(ClientGone):
            answer.read()
    server.until(lambda: server.gone, seconds=1)


def test_who_has_left_before_sends_nothing(client_of, rude):
    server = rude(reads(replies({})))
    with pytest.raises(ClientGone):
        post(client_of(server.url), Call(lambda: True))
    assert server.connections == 0


def test_closing_an_answer_early_hangs_up_the_backend(client_of, rude):
    server = rude(reads(silent_after_the_head))
    post(client_of(server.url)).close()
    server.until(lambda: server.gone, seconds=1)


def test_closing_twice_does_no_harm(client_of, rude):
    answer = post(client_of(rude(reads(replies({}))).url))
    answer.close()
    answer.close()


# --- how many at a time ---


def test_connections_have_a_limit_and_are_given_back(client_of, rude):
    server = rude(reads(silent_after_the_head))
    client = client_of(server.url, max_connections=2, connect_timeout=0.05)
    first, second = post(client), post(client)
    with pytest.raises(Busy, match="all 2 connections to LM Studio are in use"):
        post(client)
    first.close()
    first.close()
    third = post(client)
    with pytest.raises(Busy):
        post(client)
    second.close()
    third.close()


@pytest.mark.parametrize("answer", [reset, replies("", "500 X"), replies("<html>"), replies("", content_encoding="br")])
def test_a_connection_is_given_back_after_every_failure(client_of, rude, answer):
    server = rude(reads(answer))
    client = client_of(server.url, max_connections=1, connect_timeout=0.05)
    for _ in range(3):
        with pytest.raises(BackendError) as caught:
            exchanged(client)
        assert not isinstance(caught.value, BackendUnavailable)


def test_a_lost_backend_leaves_its_connection_to_others(client_of):
    client = client_of(f"http://127.0.0.1:{unused_port()}", max_connections=1, connect_timeout=0.5)
    for _ in range(3):
        with pytest.raises(BackendUnavailable):
            post(client)

"""The guards behind a real waitress: what it makes of hostile headers, and what reaches LM Studio."""

from __future__ import annotations

import logging

import pytest
from support.apps import BACKEND_AWAY, guarded, old_backend, sent, served, status_of

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.services import services_of
from flask_shim.serving import adjustments

KEY = "key-of-the-client"
TOKEN = "token-of-the-backend"
TRUSTING = {
    "trusted_proxy": "127.0.0.1",
    "trusted_proxy_count": 1,
    "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
}


@pytest.fixture(scope="module")
def port():
    with served(guarded()[0]) as open_port:
        yield open_port


def asked(port, *headers, protocol="HTTP/1.1", path="/api/version"):
    lines = [f"GET {path} {protocol}", *headers, "Connection: close", "", ""]
    return sent(port, "\r\n".join(lines).encode("latin-1"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Host: localhost"], 200),
        (["Host:   LOCALHOST.:11434  "], 200),
        (["Host: [::1]:11434"], 200),
        (["host: 127.0.0.1:9"], 200),
        (["Host: evil.test"], 403),
        (["Host: localhost", "Host: evil.test"], 403),
        (["Host: localhost", "Host: localhost"], 403),
        (["Host: user@localhost"], 403),
        (["Host: localhost:x"], 403),
        (["Host: \xe9.local"], 403),
        (["Host:"], 403),
        ([], 403),
        (["Host: localhost", "Origin: http://localhost:1", "Origin: https://evil.test"], 403),
        (["Host: localhost", "Origin: \xff\xfe"], 403),
    ],
)
def test_hosts_and_origins_as_waitress_hands_them_on(port, headers, status):
    assert status_of(asked(port, *headers)) == status


def test_an_old_client_needs_no_host(port):
    assert status_of(asked(port, protocol="HTTP/1.0")) == 200
    assert status_of(asked(port, "Host: evil.test", protocol="HTTP/1.0")) == 403


def test_the_host_counts_and_not_the_address_in_the_first_line(port):
    assert status_of(asked(port, "Host: localhost", path="http://evil.test/api/version")) == 200
    assert status_of(asked(port, "Host: evil.test", path="http://localhost/api/version")) == 403


@pytest.mark.parametrize("adjustments", [{}, TRUSTING], ids=["no proxy", "a proxy"])
@pytest.mark.parametrize(
    ("host", "forwarded", "status"),
    [("localhost", "evil.test", 200), ("evil.test", "localhost", 403), ("evil.test", "127.0.0.1", 403)],
)
def test_forwarded_host_headers_change_nothing(adjustments, host, forwarded, status):
    with served(guarded()[0], **adjustments) as open_port:
        assert status_of(asked(open_port, f"Host: {host}", f"X-Forwarded-Host: {forwarded}")) == status


@pytest.mark.parametrize(
    ("adjustments", "forwarded", "client"),
    [
        ({}, "6.6.6.6", "127.0.0.1"),
        (TRUSTING, "6.6.6.6, 10.1.2.3", "10.1.2.3"),
        (TRUSTING, "10.1.2.3:4711", "10.1.2.3"),
        (TRUSTING, "2001:db8::7", "2001:db8::7"),
        (TRUSTING, "<script> x=\xff", r'"<script> x=\xff"'),
    ],
)
def test_the_log_names_the_client_that_a_trusted_proxy_names(caplog, adjustments, forwarded, client):
    caplog.set_level(logging.INFO, "flask_shim")
    with served(guarded()[0], **adjustments) as open_port:
        assert status_of(asked(open_port, "Host: localhost", f"X-Forwarded-For: {forwarded}")) == 200
    line = next(line for line in caplog.messages if "path=/api/version" in line)
    assert f" client={client} " in line.encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize("sent_key", ["k\xe4y", "\xff", "\xe2\x82\xac"])
def test_a_key_of_any_bytes_is_just_a_wrong_one(sent_key):
    with served(guarded(api_keys=(KEY,))[0]) as open_port:
        assert status_of(asked(open_port, "Host: localhost", f"Authorization: Bearer {sent_key}")) == 401
        assert status_of(asked(open_port, "Host: localhost", f"Authorization: Bearer {KEY}")) == 200


def test_a_chunked_body_is_measured_too():
    head = b"POST /api/show HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with served(guarded(max_request_bytes=17)[0]) as open_port:
        fitting = head + b'11\r\n{"model": "tiny"}\r\n0\r\n\r\n'
        assert status_of(sent(open_port, fitting)) == BACKEND_AWAY
        too_large = head + b'11\r\n{"model": "tiny"}\r\n1\r\n \r\n0\r\n\r\n'
        assert status_of(sent(open_port, too_large)) == 413


def test_the_backend_gets_its_own_token_and_never_the_clients_key():
    with old_backend() as (url, heads):
        app = create_app(Config(backend_url=url, backend_token=TOKEN, api_keys=(KEY,), model_cache_ttl=0))
        for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-Api-Key": KEY}):
            for path in ("/api/tags", "/v1/models"):
                assert app.test_client().get(path, headers=headers, buffered=True).status_code == 200
        services_of(app).close()
    assert len(heads) >= 4
    assert {head["Authorization"] for head in heads} == {f"Bearer {TOKEN}"}
    assert KEY not in str(heads)


def test_clients_of_a_proxy_on_this_machine_do_not_see_the_inspector():
    app, _ = guarded()
    adjusted = adjustments(Config())
    with served(app, clear_untrusted_proxy_headers=adjusted["clear_untrusted_proxy_headers"]) as port:
        path = "/shim/exchanges"
        assert status_of(asked(port, "Host: localhost", path=path)) == 200
        for header in ("X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7"):
            assert status_of(asked(port, "Host: localhost", header, path=path)) == 403
    with served(app, clear_untrusted_proxy_headers=True) as port:  # a proxy cannot be noticed
        assert status_of(asked(port, "Host: localhost", path=path)) == 403

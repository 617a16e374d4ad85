"""The guards in front of the whole application: who is sent away, with what, and that nothing else was done."""

from __future__ import annotations

import hmac

import pytest
from support.apps import BACKEND_AWAY, guarded

from flask_shim.middleware import access

KEY = "first-key-of-two"
OTHER_KEY = "another+key/with=signs"
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
FOREIGN = "https://evil.test"
PAGE = "http://localhost:3000"


class Asked:
    """A client of an application with these settings."""

    def __init__(self, **settings):
        self.app, self.backend = guarded(**settings)
        self.client = self.app.test_client()

    def __call__(self, method="GET", path="/api/version", host="localhost:11434", body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        environ = {"HTTP_HOST": host}
        return self.client.open(path, method=method, json=body, headers=named, environ_overrides=environ, buffered=True)


@pytest.fixture(scope="module")
def ask():
    return Asked()


@pytest.fixture(scope="module")
def ask_with_keys():
    return Asked(api_keys=(KEY, OTHER_KEY))


def cors_of(response):
    return {name: value for name, value in response.headers if name.startswith("Access-Control-")}


# Host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:11434", "LOCALHOST.", "a.localhost", "10.0.0.7"])
def test_a_host_of_ours_is_served(ask, host):
    assert ask(host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "localhost, evil.test", "user@localhost", "localhost;x", ""])
def test_any_other_host_is_refused_before_the_backend_is_touched(host):
    ask = Asked()
    response = ask("POST", "/api/chat", host, CHAT)
    assert response.status_code == 403
    assert response.json["error"].startswith("host not allowed")
    assert ask.backend.touched == []


def test_a_request_of_http_1_0_needs_no_host(ask):
    old = {"HTTP_HOST": "", "SERVER_PROTOCOL": "HTTP/1.0"}
    assert ask.client.get("/api/version", environ_overrides=old).status_code == 200


def test_configured_hosts_and_the_names_listened_on_are_served():
    ask = Asked(allowed_hosts=("shim.example",), hosts=("box.lan",), allow_open=True)
    assert [ask(host=host).status_code for host in ("shim.example:80", "box.lan", "evil.test")] == [200, 200, 403]


def test_the_host_is_looked_at_on_every_bind():
    assert Asked(hosts=("*",), allow_open=True)(host="evil.test").status_code == 403


def test_a_forwarded_host_changes_nothing(ask):
    assert ask(host="evil.test", X_Forwarded_Host="localhost").status_code == 403
    assert ask(X_Forwarded_Host="evil.test").status_code == 200


@pytest.mark.parametrize("path", ["/no/such/path", "/api/chat", "/health", "/metrics", "/api/tags/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_every_path_and_method_is_guarded(ask, method, path):
    assert ask(method, path, host="evil.test").status_code == 403
    assert ask(method, path, Origin=FOREIGN).status_code == 403


def test_a_rejection_has_its_paths_form_without_client_bytes(ask):
    assert ask(host="evil.test").json == {"error": "host not allowed: evil.test (see SHIM_ALLOWED_HOSTS)"}
    assert ask(path="/v1/models", host="evil.test").json["error"]["type"] == "api_error"
    assert ask(path="/v1/messages", host="evil.test").json["error"]["type"] == "permission_error"
    assert ask(host="<b>@x").json == {"error": "host not allowed: not the name of one host"}
    assert ask(Origin="x\x1b[31m").json == {"error": "origin not allowed"}


# Origin


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("origin", [FOREIGN, "null", "chrome-extension://abc"])
def test_a_page_of_another_origin_is_refused_whatever_it_does(method, origin):
    ask = Asked()
    response = ask(method, "/api/chat", Origin=origin)
    assert response.status_code == 403
    assert cors_of(response) == {}
    assert ask.backend.touched == []


def test_a_foreign_page_without_a_preflight_is_rejected():
    ask = Asked()
    text = {"Origin": FOREIGN, "Content-Type": "text/plain"}
    assert ask.client.post("/api/chat", data="{}", headers=text).status_code == 403
    assert ask.backend.touched == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/version", 200),
        ("POST", "/api/chat", BACKEND_AWAY),
        ("GET", "/api/chat", 405),
        ("GET", "/no/such/path", 404),
    ],
)
def test_an_allowed_page_may_read_every_answer(ask, method, path, status):
    response = ask(method, path, body=CHAT if method == "POST" else None, Origin=PAGE)
    assert response.status_code == status
    assert cors_of(response) == {"Access-Control-Allow-Origin": PAGE}
    assert response.headers.getlist("Vary") == ["Origin"]


def test_an_allowed_page_may_read_that_its_key_is_wrong(ask_with_keys):
    response = ask_with_keys(Origin=PAGE)
    assert response.status_code == 401
    assert cors_of(response) == {"Access-Control-Allow-Origin": PAGE}


@pytest.mark.parametrize("origin", ["http://shim.localhost:1", "https://shim.localhost:1", "HTTP://Shim.localhost:1"])
def test_our_own_pages_need_no_permission(ask, origin):
    response = ask(host="shim.localhost:1", Origin=origin)
    assert response.status_code == 200
    assert cors_of(response) == {}


@pytest.mark.parametrize("origin", ["ftp://shim.localhost:1", "http://shim.localhost:2", "shim.localhost:1"])
def test_another_scheme_or_port_is_not_our_own(ask, origin):
    assert ask(host="shim.localhost:1", Origin=origin).status_code == 403


def test_our_own_page_stays_ours_where_no_origin_is_allowed():
    ask = Asked(allowed_origins=())
    assert ask(host="shim.localhost", Origin="http://shim.localhost").status_code == 200
    assert ask(host="localhost", Origin=PAGE).status_code == 403


def test_any_origin_is_allowed_with_a_star():
    ask = Asked(allowed_origins=("*",))
    response = ask(Origin="null")
    assert response.status_code == 200
    assert cors_of(response) == {"Access-Control-Allow-Origin": "*"}
    assert "Vary" not in response.headers
    assert ask("POST", "/api/chat", body=CHAT, Sec_Fetch_Site="cross-site").status_code == BACKEND_AWAY


@pytest.mark.parametrize(
    ("method", "site", "is_refused"),
    [
        ("POST", "cross-site", True),
        ("DELETE", "cross-site", True),
        ("PUT", "cross-site", True),
        ("GET", "cross-site", False),
        ("POST", "same-origin", False),
        ("POST", "none", False),
    ],
)
def test_a_page_that_hides_its_origin_changes_nothing(ask, method, site, is_refused):
    response = ask(method, "/api/chat", body=CHAT, Sec_Fetch_Site=site)
    assert (response.status_code == 403) is is_refused


# Preflight


def test_a_preflight_of_an_allowed_page_is_answered_as_ollama_does(ask_with_keys):
    response = ask_with_keys("OPTIONS", "/api/chat", Origin=PAGE, Access_Control_Request_Headers="x-mine, x y")
    assert response.status_code == 204
    assert response.data == b""
    assert "Content-Type" not in response.headers
    cors = cors_of(response)
    assert cors.pop("Access-Control-Allow-Headers").endswith(",Anthropic-Version,x-mine")
    assert cors == {
        "Access-Control-Allow-Origin": PAGE,
        "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
        "Access-Control-Max-Age": "43200",
    }
    assert sorted(response.headers.getlist("Vary")) == [
        "Access-Control-Request-Headers",
        "Access-Control-Request-Method",
        "Origin",
    ]


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        (("https://ui.example",), "https://ui.example", True),
        (("https://ui.example",), PAGE, True),
        (("*",), "https://ui.example", False),
        (("*", "https://ui.example"), "https://ui.example", True),
    ],
)
def test_only_a_listed_page_may_reach_into_the_private_network(allowed, origin, is_allowed):
    headers = {"Origin": origin, "Access_Control_Request_Private_Network": "true"}
    cors = cors_of(Asked(allowed_origins=allowed)("OPTIONS", "/api/chat", **headers))
    assert cors.get("Access-Control-Allow-Private-Network") == ("true" if is_allowed else None)


def test_private_network_access_is_allowed_only_on_request(ask):
    assert "Access-Control-Allow-Private-Network" not in cors_of(ask("OPTIONS", "/api/chat", Origin=PAGE))


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [("localhost", "/api/chat", 204), ("127.0.0.1", "/api/chat", 405), ("[::1]:1", "/no/such/path", 404)],
)
def test_options_without_an_origin_are_answered_as_ollama_does(ask, host, path, status):
    assert ask("OPTIONS", path, host).status_code == status


# Key


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer k\xe4y"},
        {"Authorization": "Bearer \xff\xfe"},
        {"X-Api-Key": ""},
        {"X-Api-Key": "k\xe4y"},
    ],
)
def test_without_the_right_key_every_answer_is_the_same_401(headers):
    ask = Asked(api_keys=(KEY, OTHER_KEY))
    response = ask("POST", "/api/chat", body=CHAT, **headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json == {"error": "a key is required: send it as Authorization: Bearer <key>"}
    assert ask.backend.touched == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer   {KEY} "},
        {"Authorization": f"Bearer {OTHER_KEY}"},
        {"X-Api-Key": KEY},
        {"Authorization": "Bearer ollama", "X-Api-Key": OTHER_KEY},
    ],
)
def test_with_any_of_the_keys_a_request_is_served(ask_with_keys, headers):
    assert ask_with_keys(**headers).status_code == 200


@pytest.mark.parametrize("query", [f"key={KEY}", f"api_key={KEY}", f"access_token={KEY}"])
def test_a_key_in_the_address_does_not_count(ask_with_keys, query):
    assert ask_with_keys(path=f"/api/version?{query}").status_code == 401


@pytest.mark.parametrize("path", ["/", "/health", "/healthz", "/ping"])
def test_reachability_can_be_checked_without_a_key(ask_with_keys, path):
    assert ask_with_keys(path=path).status_code == 200
    assert ask_with_keys("HEAD", path).status_code == 200


def test_health_contains_nothing_else(ask_with_keys):
    assert ask_with_keys(path="/health").json == {"status": "ok"}


@pytest.mark.parametrize("path", ["/metrics", "/api/tags", "/v1/models", "/no/such/path", "/health/"])
def test_everything_else_needs_the_key(ask_with_keys, path):
    assert ask_with_keys(path=path).status_code == 401


@pytest.mark.parametrize("sent", ["Bearer ", "Bearer ollama", "Basic eDp5", "Bearer \xff", "nonsense"])
def test_without_a_configured_key_whatever_is_sent_has_no_meaning(ask, sent):
    assert ask(Authorization=sent).status_code == 200


@pytest.mark.parametrize("sent", [KEY, OTHER_KEY, "wrong"])
def test_every_key_is_compared_in_constant_time(ask_with_keys, monkeypatch, sent):
    compared = []

    def compare(given, key):
        compared.append((given, key))
        return hmac.compare_digest(given, key)

    monkeypatch.setattr(access, "hmac", type("Counting", (), {"compare_digest": staticmethod(compare)}))
    ask_with_keys(Authorization=f"Bearer {sent}")
    assert compared == [(sent.encode(), KEY.encode()), (sent.encode(), OTHER_KEY.encode())]


# Size


def test_a_body_of_the_largest_size_is_read_and_a_larger_one_refused():
    body = b'{"model": "tiny"}'
    ask = Asked(max_request_bytes=len(body))
    assert ask.client.post("/api/show", data=body).status_code == BACKEND_AWAY
    response = ask.client.post("/api/show", data=body + b" ")
    assert response.status_code == 413
    assert response.json == {"error": "request body is too large: at most 17 bytes (see SHIM_MAX_REQUEST_BYTES)"}


CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}


@pytest.mark.parametrize("path", ["/api/show", "/v1/chat/completions", "/v1/messages"])
def test_a_body_without_a_length_is_measured(path):
    body = b'{"model": "tiny"}'
    ask = Asked(max_request_bytes=len(body))
    assert ask.client.post(path, data=body, environ_overrides=CHUNKED).status_code != 413
    ask.backend.touched.clear()
    for surplus in (b" ", b" " * 100_000):
        response = ask.client.post(path, data=body + surplus, environ_overrides=CHUNKED)
        assert response.status_code == 413
        assert "request body is too large" in response.text
    assert ask.backend.touched == []


def test_an_unreadable_length_is_no_internal_error(ask):
    absurd = {"CONTENT_LENGTH": "9" * 5000}
    assert Asked(max_request_bytes=9).client.get("/api/version", environ_overrides=absurd).status_code < 500


def test_the_key_is_checked_before_the_size():
    assert Asked(max_request_bytes=1, api_keys=(KEY,))("POST", "/api/chat", body=CHAT).status_code == 401


@pytest.mark.parametrize(
    ("settings", "changed", "status"),
    [
        ({}, {"host": "evil.test", "Origin": FOREIGN}, 403),
        ({"api_keys": (KEY,)}, {"Origin": FOREIGN}, 403),
        ({"api_keys": (KEY,)}, {}, 401),
    ],
)
def test_the_first_check_that_rejects_answers(settings, changed, status):
    assert Asked(**settings)(**changed).status_code == status


def test_a_body_nested_too_deeply_is_a_bad_request():
    deep = b'{"model": "m", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ask = Asked()
    assert ask.client.post("/api/chat", data=deep).status_code == 400
    assert ask.client.post("/v1/chat/completions", data=deep).status_code == 400
    assert ask.backend.touched == []

"""The record of every request: its id, one line at its end, and nothing that a client could forge."""

from __future__ import annotations

import logging
import re

import pytest
from flask import Flask, Response, request
from support.apps import guarded, sent, served, status_of

from flask_shim import error_responses
from flask_shim.lmstudio.errors import BackendTimeout, ClientDisconnected, ModelLoadError, ModelNotFound, ServerBusy
from flask_shim.observability import access_log
from flask_shim.observability.request_context import current, current_id

PROMPT = "the-words-of-the-prompt"
KEY = "key-of-a-client"


FAILURES = {
    "gone": ClientDisconnected(),
    "busy": ServerBusy("server busy"),
    "missing": ModelNotFound("model 'x' not found"),
    "slow": BackendTimeout("LM Studio sent no data for 3 s"),
    "crash": ModelLoadError("the model crashed"),
}


def blocks(name):
    yield b"1"
    logging.getLogger("flask_shim.test").info("between")
    yield b"2"
    if name in FAILURES:
        current().fail(FAILURES[name])
    else:
        current().is_complete = True
    yield b"3"


@pytest.fixture(scope="module")
def app():
    app = Flask("test")
    access_log.init_app(app)
    app.before_request(lambda: access_log.note_route(request))
    app.recorder = access_log.recorder_of(app)
    error_responses.init_app(app)

    @app.get("/id")
    def own_id():
        logging.getLogger("flask_shim.test").info("within")
        return current_id()

    @app.get("/fails/<name>")
    def fails(name):
        current().fail(FAILURES[name])
        return error_responses.error_response(FAILURES[name], request.path)

    @app.get("/bug")
    def bug():
        raise RuntimeError("a bug\nwith two lines")

    @app.get("/stream/<name>")
    def stream(name):
        record = current()
        record.set_model("tiny-chat")
        record.begin_output()
        record.is_streamed = True
        record.set_usage(7, 21, 5)
        record.options, record.dropped = ("temperature", "stop"), ("mirostat",)
        return Response(blocks(name), mimetype="application/x-ndjson")

    return app


@pytest.fixture
def client(app):
    return app.test_client()


# The id


@pytest.mark.parametrize("wanted", ["a", "Abc.1_2-3", "x" * 64])
def test_a_sound_id_of_the_client_is_kept(client, wanted):
    response = client.get("/id", headers={"X-Request-ID": wanted}, buffered=True)
    assert response.text == response.headers["X-Request-ID"] == wanted


@pytest.mark.parametrize("wanted", ["", "x" * 65, "a b", "a\tb", "\xe9", "a;b", "<b>", "a\u2028"])
def test_any_other_id_is_replaced(client, wanted):
    environ = {"HTTP_X_REQUEST_ID": wanted}
    response = client.get("/id", environ_overrides=environ, buffered=True)
    assert re.fullmatch(r"[0-9a-f]{12}", response.headers["X-Request-ID"])


def test_every_request_has_an_id_of_its_own(client):
    assert len({client.get("/id", buffered=True).text for _ in range(50)}) == 50


@pytest.mark.parametrize(("path", "status"), [("/id", 200), ("/nowhere", 404), ("/bug", 500), ("/stream/x", 200)])
def test_every_answer_carries_its_id_and_every_line_too(client, written, path, status):
    response = client.get(path, headers={"X-Request-ID": "mine"}, buffered=True)
    assert response.status_code == status
    assert response.headers["X-Request-ID"] == "mine"
    assert written.lines
    assert all(" id=mine " in line for line in written.lines)


@pytest.mark.parametrize(
    ("path", "status"), [("/id", "200 OK"), ("/nowhere", "404 Not Found"), ("/bug", "500 Internal Server Error")]
)
def test_phrases_of_statuses_are_not_in_capitals(client, path, status):
    assert client.get(path, buffered=True).status == status


def test_lines_after_the_request_carry_no_id(client, written):
    client.get("/id", buffered=True)
    logging.getLogger("flask_shim.test").info("after")
    assert " id=- after" in written.lines[-1]


# The line at the end


def test_a_request_ends_with_one_line(client, written):
    client.get("/id", buffered=True)
    facts = written.facts
    assert float(facts.pop("ms")) >= 0
    assert facts == {
        "level": "INFO",
        "id": facts["id"],
        "method": "GET",
        "path": "/id",
        "status": "200",
        "client": "127.0.0.1",
        "outcome": "done",
    }


@pytest.mark.parametrize(
    ("path", "settings", "levels"),
    [
        ("/shim/status", {}, []),
        ("/shim/models", {}, []),  # 503, the page shows why
        ("/shim/models", {"api_keys": (KEY,)}, [" WARNING "]),
        ("/api/tags", {}, [" WARNING "]),
    ],
)
def test_polls_of_the_page_are_logged_only_if_they_are_rejected(written, path, settings, levels):
    guarded(**settings)[0].test_client().get(path, buffered=True)
    assert [level for line in written.ends for level in (" INFO ", " WARNING ") if level in line] == levels


def test_debug_line_names_client_route_options_and_what_was_dropped(app, written):
    logging.getLogger().setLevel(logging.DEBUG)
    client = app.test_client()
    client.get("/stream/x", headers={"User-Agent": "curl/8.1 (x)"}, buffered=True)
    facts = written.facts
    assert (facts["route"], facts["user_agent"]) == ("/stream/<name>", '"curl/8.1 (x)"')
    assert (facts["options"], facts["dropped"]) == ("temperature,stop", "mirostat")


def test_a_stream_ends_with_its_line_when_it_is_over_and_not_before(client, written):
    response = client.get("/stream/x")
    assert written.ends == []
    assert response.data == b"123"
    response.close()
    facts = written.facts
    assert facts.items() >= {"model": "tiny-chat", "cached_tokens": "5", "tokens_out": "21"}.items()
    assert float(facts["first_token_ms"]) <= float(facts["ms"])
    assert float(facts["tokens_per_s"]) > 0


def test_the_open_requests_are_known(app, client):
    assert not app.recorder.open
    response = client.get("/stream/x")
    assert [record.path for record in app.recorder.open] == ["/stream/x"]
    response.close()
    assert not app.recorder.open


def test_a_stream_that_is_closed_early_lost_its_client(client, written):
    response = client.get("/stream/x")
    next(iter(response.response))
    response.close()
    assert written.facts["outcome"] == "client_disconnected"
    assert written.facts["level"] == "INFO"


@pytest.mark.parametrize(
    ("name", "outcome", "level"),
    [
        ("gone", "client_disconnected", "INFO"),
        ("slow", "error:backend_timeout", "WARNING"),
        ("crash", "error:model_load_error", "WARNING"),
        ("busy", "aborted", "WARNING"),
    ],
)
def test_a_broken_stream_is_logged_with_its_outcome(client, written, name, outcome, level):
    client.get(f"/stream/{name}", buffered=True)
    assert (written.facts["outcome"], written.facts["level"], written.facts["status"]) == (outcome, level, "200")


@pytest.mark.parametrize(
    ("path", "status", "outcome", "level"),
    [
        ("/fails/missing", "404", "rejected", "INFO"),
        ("/fails/busy", "503", "rejected", "WARNING"),
        ("/fails/slow", "504", "error:backend_timeout", "WARNING"),
        ("/fails/gone", "499", "client_disconnected", "INFO"),
        ("/nowhere", "404", "rejected", "INFO"),
        ("/bug", "500", "error:internal", "WARNING"),
    ],
)
def test_a_failure_is_logged_with_its_outcome(client, written, path, status, outcome, level):
    client.get(path, buffered=True)
    facts = written.facts
    assert (facts["status"], facts["outcome"], facts["level"]) == (status, outcome, level)


def test_the_text_of_a_failure_is_logged(client, written):
    client.get("/fails/slow", buffered=True)
    assert written.facts["error"] == '"LM Studio sent no data for 3 s"'


def test_a_bug_leaves_its_trace_in_one_line(client, written):
    client.get("/bug", buffered=True)
    (line,) = [line for line in written.lines if " ERROR " in line]
    assert r"RuntimeError: a bug\nwith two lines" in line


def test_closing_twice_logs_once(app, written):
    def start_response(status, headers, exc_info=None):
        return lambda _: None

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/nowhere", "SERVER_NAME": "x", "SERVER_PORT": "1"}
    environ |= {"wsgi.url_scheme": "http"}
    body = app.wsgi_app(environ, start_response)
    body.close()
    body.close()
    assert len(written.ends) == 1


def test_an_application_that_raises_is_logged(written):
    def broken(environ, start_response):
        raise RuntimeError("not even a status")

    recorder = access_log.Recorder(broken)
    recorder.observers.append(access_log.log_request)
    with pytest.raises(RuntimeError):
        recorder({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, lambda *_: None)
    assert len(written.ends) == 1
    assert current_id() == "-"
    assert not recorder.open


def test_path_and_user_agent_are_read_as_utf_8():
    sent = {name: "Über/日本".encode().decode("latin-1") for name in ("PATH_INFO", "HTTP_USER_AGENT")}
    record = access_log.record_of(sent)
    assert (record.path, record.user_agent) == ("Über/日本", "Über/日本")


def test_a_body_that_cannot_be_closed_is_logged(written):
    class Body(list):
        def close(self):
            raise OSError("the wire is gone")

    recorder = access_log.Recorder(lambda environ, start_response: Body())
    recorder.observers.append(access_log.log_request)
    body = recorder({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, lambda *_: None)
    with pytest.raises(OSError, match="the wire is gone"):
        body.close()
    assert len(written.ends) == 1


# Guards, forgeries, secrets


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "evil.test"}, "host"),
        ({"Origin": "https://evil.test"}, "origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "origin"),
        ({"Authorization": "Bearer wrong"}, "key"),
        ({"Authorization": f"Bearer {KEY}"}, "size"),
    ],
)
def test_a_rejection_is_one_warning_with_its_reason(written, headers, reason):
    app, _ = guarded(api_keys=(KEY,), max_request_bytes=1)
    app.test_client().post("/api/chat", data=b"{}", headers=headers, buffered=True)
    assert len(written.lines) == 1
    assert written.facts.items() >= {"level": "WARNING", "outcome": "rejected", "rejected_by": reason}.items()


FORGED = "x\nCRITICAL forged\x1b[31m\u2028\u202e outcome=done"


def test_nothing_a_client_sends_begins_a_line_or_steers_a_terminal(written):
    app, _ = guarded()
    model = {"model": FORGED, "messages": [{"role": "user", "content": PROMPT}]}
    app.test_client().post("/api/chat", json=model, headers={"User-Agent": "a\x1b[31m"}, buffered=True)
    app.test_client().get("/%0aCRITICAL forged%1b[31m%E2%80%A8 outcome=done", buffered=True)
    app.test_client().get("/x", environ_overrides={"REMOTE_ADDR": FORGED, "REQUEST_METHOD": FORGED}, buffered=True)
    assert len(written.ends) == 3
    for line in written.lines:
        assert line.isascii()
        assert line.isprintable()
    assert r'path="/\nCRITICAL forged\x1b[31m\u2028 outcome=done"' in written.ends[1]


def test_a_forged_line_does_not_pass_a_real_server(written):
    with served(guarded()[0]) as port:
        first = b"GET /%0a2026%20CRITICAL%20forged%1b[31m?prompt=" + PROMPT.encode() + b" HTTP/1.1\r\n"
        more = b"Host: localhost\r\nX-Request-ID: \xe2\x80\xa8\r\nUser-Agent: \xff\r\nConnection: close\r\n\r\n"
        assert status_of(sent(port, first + more)) == 404
        sent(port, b"GET http://[::x/ HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n")
    assert written.lines
    assert all(line.isascii() and line.isprintable() for line in written.lines)
    assert PROMPT not in str(written.lines)


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/v1/chat/completions", "/api/show", "/no/such/path"])
def test_neither_prompts_nor_keys_are_logged(written, path):
    said = [{"role": "user", "content": PROMPT}]
    body = {"model": "m", "prompt": PROMPT, "messages": said, "options": {"seed": PROMPT}}
    for settings in ({}, {"api_keys": (KEY,)}, {"api_keys": (KEY,), "max_request_bytes": 1}):
        client = guarded(**settings)[0].test_client()
        for key in (KEY, "wrong-key-of-a-client"):
            headers = {"Authorization": f"Bearer {key}", "X-Api-Key": key}
            client.post(f"{path}?key={key}&prompt={PROMPT}", json=body, headers=headers, buffered=True)
            client.post(path, data=PROMPT, headers=headers, buffered=True)
    assert len(written.ends) == 12
    assert PROMPT not in str(written.lines)
    assert KEY not in str(written.lines)

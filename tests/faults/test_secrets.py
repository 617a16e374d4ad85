"""Keys, tokens and prompts are in no log, also after many kinds of failures."""

from __future__ import annotations

import pytest
from support.answers import replies, sse, streams
from support.checked_shim import PROMPT, TOKEN, chat, check_log
from support.fake_lmstudio import CHAT
from support.processes import ShimProcess
from support.wire import Wire, request, send_request

KEY = "key-of-the-client-that-must-not-be-read"
OTHER = "key-of-another-client-that-must-not-be-read"
FORGED = "x%0a2026-01-01T00:00:00.000Z%20CRITICAL%20forged%20%1b[31m%e2%80%a8"

BEARER = {"Authorization": f"Bearer {KEY}"}
WRONG = {"Authorization": f"Bearer {OTHER}", "X-Api-Key": OTHER, "Cookie": f"key={OTHER}"}


@pytest.mark.parametrize("settings", [{}, {"SHIM_DEBUG": "1"}], ids=["log", "detailed log"])
def test_no_log_contains_a_key_a_token_or_a_prompt(studio, settings):
    with ShimProcess(studio.url, SHIM_API_KEY=KEY, SHIM_LMSTUDIO_TOKEN=TOKEN, **settings) as shim:
        for headers in (BEARER, WRONG, {}, {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"}):
            for path in ("/api/chat", "/v1/chat/completions", "/v1/messages", f"/api/chat?key={KEY}&q={PROMPT}"):
                for stream in (True, False):
                    send_request(shim.port, path, chat(stream=stream, max_tokens=9), headers=headers)
        for answer in (
            streams("one", ends=False),
            streams(b"data: nonsense " + PROMPT.encode() + b"\n\n"),
            replies({"error": "the model has crashed"}, "500 Oops", www_authenticate=TOKEN),
        ):
            studio.answers[CHAT] = answer
            send_request(shim.port, "/api/chat", chat(), headers=BEARER)
        for broken in (request("/api/chat", chat(), headers=BEARER)[:-4], b"GET / HTTP/1.1\r\nAuthorization: Bearer "):
            with Wire(shim.port) as wire:
                wire.send(broken + KEY.encode())
        send_request(shim.port, "/api/chat", b"{" + PROMPT.encode(), headers=BEARER)
        studio.kill()
        send_request(shim.port, "/api/chat", chat(), headers=BEARER)
        studio.back()
        shim.signal()
        assert shim.wait() == 0
    check_log(shim.log)
    assert KEY not in shim.log
    assert OTHER not in shim.log
    assert shim.log.count(" flask_shim.observability.access_log ") > 40


QUOTING = f"Only system and user roles are supported. Got '{PROMPT}' with {TOKEN}"


@pytest.mark.parametrize(("level", "is_logged"), [("0", False), ("1", True)], ids=["log", "detailed log"])
def test_errors_that_quote_a_prompt_are_logged_only_in_debug_mode(studio, level, is_logged):
    with ShimProcess(studio.url, SHIM_LMSTUDIO_TOKEN=TOKEN, SHIM_DEBUG=level) as shim:
        answers = []
        for status in ("200 OK", "400 Bad Request", "401 Unauthorized", "500 Oops", "503 Later"):
            studio.answers[CHAT] = replies({"error": {"message": QUOTING}}, status)
            paths = ("/api/chat", "/v1/chat/completions", "/v1/messages")
            answers += [send_request(shim.port, path, chat(max_tokens=9)) for path in paths]
        studio.answers[CHAT] = streams("one", sse({"error": {"message": QUOTING}}), ends=False)
        answers.append(send_request(shim.port, "/api/chat", chat()))
        shim.signal()
        assert shim.wait() == 0
    assert all(PROMPT.encode() in answer.body and TOKEN.encode() not in answer.body for answer in answers)
    assert (PROMPT in shim.log) == is_logged
    assert ("LM Studio's error text, which was sent to the client" in shim.log) != is_logged
    assert TOKEN not in shim.log


def test_misplaced_text_of_a_client_is_not_logged(patient):
    asks = [
        ("/api/chat", chat(think=PROMPT)),
        ("/api/chat", chat(format=PROMPT)),
        ("/api/chat", chat(keep_alive=PROMPT)),
        ("/v1/embeddings", {"model": "tiny", "input": "x", "encoding_format": PROMPT}),
        ("/v1/responses", {"model": "tiny", "input": [{"type": PROMPT}]}),
        ("/v1/responses", {"model": "tiny", "input": [{"role": "user", "content": [{"type": PROMPT}]}]}),
        ("/v1/responses", {"model": "tiny", "input": "x", "previous_response_id": PROMPT}),
        ("/v1/chat/completions", chat(reasoning_effort=PROMPT)),
        ("/v1/messages", chat(max_tokens=9, messages=[{"role": "user", "content": [{"type": PROMPT}]}])),
        ("/v1/messages", chat(max_tokens=9, messages=[{"role": PROMPT, "content": "x"}])),
        ("/api/create", {"model": "mine", "from": "tiny", "template": "{{ " + PROMPT + " }}"}),
    ]
    answers = [patient.ask(path, body) for path, body in asks]
    patient.ask("/last")
    patient.end_of("/last")
    assert sum(PROMPT.encode() in answer.body for answer in answers) > 5
    assert PROMPT not in patient.log


def test_nothing_a_client_sends_makes_a_line_of_the_log(patient):
    """Paths, methods, model names, ids and lengths that waitress or the shim quote when they complain."""
    evil = "x\r\nCRITICAL forged\x1b[31m\u2028\u202e"
    patient.ask(f"/{FORGED}")
    patient.ask("/api/chat", chat(model=evil))
    patient.ask("/api/show", {"model": evil}, headers={"User-Agent": "\x9b31m", "X-Request-ID": "a b\x85"})
    for raw in (
        f"GET /{FORGED} HTTP/1.1\r\nHost: evil{FORGED}\r\nConnection: close\r\n\r\n",
        "GET http://[\x1b[31m/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"POST /{FORGED} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {'9' * 5000}\r\n\r\n",
    ):
        with Wire(patient.port) as wire:
            wire.send(raw.encode("latin-1"))
            wire.rest()
    assert patient.end_of("/api/show")["outcome"] == "rejected"
    check_log(patient.log)
    assert "forged" in patient.log
    assert "\nCRITICAL forged" not in patient.log
    assert "\x1b" not in patient.log


def test_answers_say_nothing_about_what_serves_them(patient):
    for path, body in (("/", None), ("/api/chat", chat()), ("/nowhere", None), ("/api/chat", b"{")):
        headers = patient.ask(path, body).headers
        assert set(headers).isdisjoint({"server", "via", "x-powered-by"})

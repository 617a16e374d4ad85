"""``flask-shim top``: what the screen shows and what its keys do."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import time
from contextlib import nullcontext

import pytest
from rich.console import Console

from flask_shim.cli import keyboard, top_command
from flask_shim.cli.keyboard import DOWN, UP, pressed_keys
from flask_shim.cli.setting_options import CommandError
from flask_shim.cli.top_view import SORT_KEYS, View, render, seconds_text

ROW = {
    "client": None,
    "client_address": "10.0.0.1",
    "model": "tiny",
    "phase": "generating",
    "queue_seconds": None,
    "progress_estimate": None,
    "prompt_tokens": None,
    "time_to_first_token_seconds": 0.5,
}
SLOW = {**ROW, "id": "slow", "age_seconds": 90, "output_tokens": 5, "tokens_per_second": 1.5}
FAST = {**ROW, "id": "fast", "age_seconds": 3, "output_tokens": 50, "tokens_per_second": 60.25}
QUEUED = {**ROW, "id": "queued", "age_seconds": 1, "output_tokens": None, "tokens_per_second": None}
WAITING = {**QUEUED, "phase": "queued", "queue_seconds": 2.5}
STATUS = {
    "backend": {"url": "http://lm:1234", "reachable": True, "error": None},
    "slots": {"total": 4, "in_use": 1, "waiting": 0},
    "loaded": [{"name": "tiny:latest", "size_bytes": 10**9, "context_length": 4096, "expires_at": None}],
    "last_error": None,
}


def shown(view, status=STATUS, running=(SLOW, FAST), width=140):
    console = Console(width=width, file=io.StringIO())
    console.print(render(view, status, list(running), width))
    return console.file.getvalue()


def test_screen_shows_backend_models_and_requests():
    text = shown(View(message="Stopped x."))
    for part in ("http://lm:1234", "1 of 4 slots", "4096 tokens", "until it is unloaded", "60.2", "Stopped x."):
        assert part in text
    assert text.index("slow") < text.index("fast")


def test_screen_shows_why_nothing_works():
    backend = {"url": "http://lm:1234", "reachable": False, "error": "refused"}
    error = {"at": "2026-11-29T06:07:08Z", "message": "it \x1b]0;broke\x07"}
    text = shown(View(), {**STATUS, "backend": backend, "last_error": error, "loaded": []}, ())
    for part in ("does not answer at http://lm:1234: refused", "06:07:08: it ]0;broke", "No request is in flight."):
        assert part in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no time.tzset")
def test_times_are_those_of_the_users_clock(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-9")
    time.tzset()
    try:
        error = {"at": "2026-11-29T06:07:08Z", "message": "it broke"}
        assert "15:07:08: it broke" in shown(View(), {**STATUS, "last_error": error})
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals that Python can open")
def test_a_restart_of_the_shim_does_not_end_it(monkeypatch):
    shim, screens = FakeShim(), []
    monkeypatch.setattr(top_command, "pressed_keys", lambda: nullcontext(shim.next_key))
    monkeypatch.setattr(top_command, "render", lambda view, *_: screens.append(view.failure) or "")
    top_command._watch(shim)
    assert screens == ["", "", "it restarts", "it restarts", ""]


class FakeShim:
    """Answers, except between the second and the fourth key; the fifth one quits."""

    keys = 0

    def next_key(self, _):
        self.keys += 1
        return "q" if self.keys == 5 else ""

    def get(self, path):
        if self.keys in (2, 3):
            raise CommandError("it restarts")
        return STATUS if path == "/shim/status" else {"running": []}


def test_screen_shows_a_failure_instead_of_the_backend():
    text = shown(View(failure="The shim does not answer."))
    assert "The shim does not answer." in text
    assert "http://lm:1234" not in text


def test_screen_shows_waiting_requests_and_their_time():
    text = shown(View(), {**STATUS, "slots": {"total": 4, "in_use": 4, "waiting": 7}}, [WAITING])
    assert "4 of 4 slots in use, 7 waiting" in text
    assert "queued 2.5 s" in text


def test_unknown_values_are_sorted_last():
    view = View("tokens_per_second")
    assert [row["id"] for row in view.ordered([QUEUED, SLOW, FAST])] == ["fast", "slow", "queued"]


def test_orders_follow_each_other_in_a_circle():
    view = View()
    for _ in SORT_KEYS:
        view.sort_next()
    assert view.sort == SORT_KEYS[0]


def test_selection_stays_within_the_list():
    view, running = View(), [FAST, SLOW]
    selected = []
    for steps in (1, 1, 1, -1, -1):
        view.move(running, steps)
        selected.append(view.selected)
    assert selected == ["slow", "fast", "fast", "slow", "slow"]
    view.move([], 1)
    assert view.selected == ""


def test_selection_passes_requests_with_the_same_id():
    view, running = View(), [SLOW, FAST, {**FAST, "age_seconds": 2}, QUEUED]
    for _ in range(3):
        view.move(running, 1)
    assert view.selected == "queued"


@pytest.mark.parametrize(("seconds", "text"), [(None, "-"), (0.25, "0.2 s"), (61, "1:01"), (3723, "1:02:03")])
def test_durations_are_short(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals that Python can open")
@pytest.mark.parametrize(("sent", "key"), [("q", "q"), ("\x1b[A", UP), ("\x1bOB", DOWN), ("\x1b", "\x1b"), ("", "")])
def test_keys_are_read_from_a_terminal(sent, key, monkeypatch):
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pressed_keys() as read_key:
            os.write(ours, sent.encode())
            assert read_key(5 if sent else 0) == key
    os.close(ours)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals that Python can open")
def test_keys_that_arrive_together_are_read_one_by_one(monkeypatch):
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pressed_keys() as read_key:
            os.write(ours, b"\x1b[A\x1b[Bs\x1b[5~q")  # 5~ is Page Up, which means nothing here
            assert [read_key(5) for _ in range(5)] == [UP, DOWN, "s", "", "q"]
    os.close(ours)


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"q", ["q", ""]),
        (b"\xe0H", [UP, ""]),
        (b"\x00P", [DOWN, ""]),
        (b"\xe0G", ["", ""]),  # Home
        (b"\xe0", ["", ""]),  # the letter à in the code page 1252
        (b"\xe0\xb8\xb2", ["", ""]),  # a Thai letter in UTF-8
    ],
)
def test_keys_are_read_from_a_windows_console(sent, keys, monkeypatch):
    console = UcrtConsole()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    spec = importlib.util.spec_from_file_location("windows_keyboard", keyboard.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.pressed_keys() as read_key:
        console.pressed.append(sent)
        assert [read_key(0), read_key(0)] == keys
        console.pressed.append(b"s")
        assert read_key(0) == "s"


class UcrtConsole:
    """A console as Microsoft's C runtime shows it: ``getch`` keeps further bytes of a key, and ``kbhit`` sees them."""

    def __init__(self):
        self.pressed = []
        self.rest = []

    def kbhit(self):
        return bool(self.rest or self.pressed)

    def getch(self):
        assert self.kbhit(), "it would block"
        if not self.rest:
            self.rest = [bytes([byte]) for byte in self.pressed.pop(0)]
        return self.rest.pop(0)

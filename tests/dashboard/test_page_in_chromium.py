"""The page at /shim/ in a real browser, before a fake LM Studio."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
import requests
from support.answers import endless
from support.browser import browsing, find_browser
from support.demo import Shim
from support.fake_lmstudio import CHAT, FakeLMStudio, v1_model

from flask_shim.observability import history
from flask_shim.observability.request_context import RequestRecord

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
VIEWS = ("overview", "requests", "models", "history", "log", "inspector")
WIDTHS = (320, 380, 400, 720, 800, 900, 980, 1100)
NO_OVERFLOW = """
[document.documentElement, document.querySelector('nav')].every((each) => each.scrollWidth <= each.clientWidth)"""


@pytest.fixture(scope="module")
def chromium():
    with browsing(BROWSER) as page:
        yield page


@pytest.fixture
def page(chromium, shim):  # with shim: the page is left before the server stops
    """Give the browser, and demand that no console error came and no other host was asked."""
    chromium.complaints.clear()
    chromium.requested.clear()
    chromium.resize(1200, 900)
    yield chromium
    chromium.go("about:blank")
    assert chromium.complaints == []
    hosts = {urlsplit(url).hostname for url in chromium.requested if not url.startswith(("blob:", "about:"))}
    assert hosts <= {"127.0.0.1"}


@pytest.fixture
def studio():
    with FakeLMStudio({"tiny": 4096, "cold": None}) as studio:
        yield studio


@pytest.fixture
def shim(studio, tmp_path):
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Shim(studio.url, tmp_path, **settings))


class Client:
    """A client in the middle of an endless stream."""

    def __init__(self, shim, user_agent="curl/8.5", headers=MappingProxyType({})):
        body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": HOSTILE}]})
        self._connection = HTTPConnection("127.0.0.1", shim.port, timeout=30)
        self._connection.request("POST", "/api/chat", body, {"User-Agent": user_agent, **headers})
        self._answer = self._connection.getresponse()
        self._last = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        with suppress(OSError, HTTPException):
            while line := self._answer.readline():
                self._last = line

    def last(self):
        """Wait for the end of the stream and return its last record."""
        self._thread.join(30)
        return json.loads(self._last)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with suppress(OSError):  # the stream has ended
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._connection.close()


def visit(page, shim, view="overview"):
    """Open the page in a tab that shows nothing, and wait until it is there."""
    page.go("about:blank")
    page.go(f"{shim.url}/shim/#{view}")
    page.until("document.readyState === 'complete' && document.getElementById('main') !== null")


def turn_to(page, view):
    """Show another view, and wait until its data is there."""
    page.value(f"location.hash = '{view}'")
    page.until(
        f"!document.getElementById('view-{view}').hidden && document.getElementById('main').ariaBusy === 'false'"
    )


def rows(page, table, fits="true"):
    """Wait until a table has rows for which ``fits`` is true, and return their texts."""
    script = f"[...document.querySelectorAll('#{table} tbody tr')].map((row) => row.innerText)"
    return page.until(f"(() => {{ const rows = {script}; return rows.length && {fits} && rows }})()")


def text(page, id_):
    return page.value(f"document.getElementById('{id_}').innerText")


def test_running_stream_appears_and_stop_ends_it(page, shim, studio):
    studio.answers[CHAT] = endless()
    running = shim()
    with Client(running, "GitHubCopilotChat/0.40") as client:
        visit(page, running)
        [row] = rows(page, "running", "rows[0].includes('generating')")
        assert "VS Code" in row
        assert "tiny" in row
        page.click("#running button.stop")
        assert client.last()["error"]
        studio.until(lambda: not studio.open_at(CHAT))
    page.until("document.querySelector('#running').hidden")
    assert "Stopped" in text(page, "message")
    turn_to(page, "requests")
    assert "VS Code" in rows(page, "ended")[0]


def test_streams_with_the_same_id_have_a_row_each(page, shim, studio):
    studio.answers[CHAT] = endless()
    running = shim()
    same = {"X-Request-ID": "same"}
    with Client(running, headers=same), Client(running, headers=same):
        visit(page, running)
        shown = rows(page, "running", "rows.length === 2")
        for _ in range(3):  # the table is filled again
            shown = rows(page, "running", f"rows[0] !== {json.dumps(shown[0])}")
        assert len(shown) == 2


def test_models_are_loaded_and_unloaded(page, shim, studio):
    visit(page, shim(), "models")
    rows(page, "models")
    page.click('button[aria-label="Load cold:latest"]')
    page.value("document.getElementById('load-context').value = '2048'")
    page.click("#load-dialog button:not([type])")
    page.until("document.getElementById('message').innerText === 'Loaded cold:latest.'")
    assert studio.models["cold"] == 2048
    turn_to(page, "overview")
    rows(page, "loaded", "rows.length === 2")
    page.click('button[aria-label="Unload cold:latest"]')
    rows(page, "loaded", "rows.length === 1")
    assert studio.models == {"tiny": 4096, "cold": None}


def test_model_is_pulled_with_its_progress(page, shim, studio):
    studio.offers = {"lab/new": ["lab/new"]}
    visit(page, shim(), "models")
    rows(page, "models")
    page.value("document.getElementById('pull-name').value = 'lab/new'")
    page.click("#pull button")
    page.until("document.getElementById('message').innerText === 'lab/new is complete.'")
    rows(page, "models", "rows.length === 3")


def test_a_pull_hides_the_last_error_and_is_the_only_one(page, shim, studio):
    visit(page, shim(), "models")
    page.value("document.getElementById('pull-name').value = 'not a name'")
    page.click("#pull button")
    page.until("document.getElementById('message').innerText === 'invalid model name'")
    page.value("document.getElementById('pull-name').value = 'lab/endless'")
    page.click("#pull button")
    page.until("document.getElementById('pull-text').innerText.includes('of 100')")
    assert page.value(
        "[document.getElementById('message').hidden, document.getElementById('pull-button').disabled]"
    ) == [True, True]
    page.complaints = [text for text in page.complaints if "400" not in text]


def test_a_pull_says_that_lm_studio_does_not_answer(page, shim, studio):
    visit(page, shim(), "models")
    page.value("document.getElementById('pull-name').value = 'lab/endless'")
    page.click("#pull button")
    page.until("document.getElementById('pull-text').innerText.includes('of 100')")
    studio.kill()
    page.until("document.getElementById('pull-text').innerText.startsWith('waiting for LM Studio: ')")
    page.complaints = [text for text in page.complaints if "503" not in text]


def test_hostile_names_agents_and_prompts_stay_texts(page, shim, studio):
    studio.rows = [v1_model("tiny", context_length=4096), v1_model(HOSTILE, context_length=4096)]
    studio.answers[CHAT] = endless()
    running = shim(inspect=5)
    with Client(running, HOSTILE):
        visit(page, running)
        for view in VIEWS:
            turn_to(page, view)
            if view == "overview":
                assert any(HOSTILE in row for row in rows(page, "running"))
        page.click("#exchanges button")
        page.until("document.getElementById('exchange').innerText.includes('onerror')")
    assert page.value("window.hacked") is None
    assert page.value("document.querySelectorAll('main img, main script').length") == 0


def test_exchange_shows_both_sides_and_can_be_replayed(page, shim, studio):
    running = shim()
    visit(page, running, "inspector")
    page.until("document.getElementById('exchanges-empty').innerText.startsWith('Recording is off')")
    page.click("#inspect-start")
    page.until("document.getElementById('inspect-state').innerText.startsWith('Recording the last 20')")
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "options": {"num_predict": 7}}
    requests.post(f"{running.url}/api/chat", json=body, timeout=30)
    rows(page, "exchanges")
    page.click("#exchanges button")
    shown = page.until("document.getElementById('exchange').innerText")
    assert "sent as max_tokens: 7" in shown
    assert "Hello" in shown
    page.click('#exchange button[aria-label^="Send the same"]')
    page.until("document.getElementById('replayed').innerText.includes('[DONE]')")
    assert studio.posted(CHAT)[0] == studio.posted(CHAT)[1]


PIXELS_OF_THE_LINE = """(id) => {
  const canvas = document.querySelector(`#${id} canvas`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const green = (at) => data[at + 3] > 200 && data[at + 1] - data[at] > 80;
  return Array.from({ length: data.length / 4 }, (_, pixel) => 4 * pixel).filter(green).length;
}"""
LABELS_CUT = """
window.labels = new Map();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const share = { right: 1, end: 1, center: 0.5 }[this.textAlign] ?? 0;
  const width = this.measureText(text).width;
  const left = x + this.getTransform().e - share * width;
  labels.set(text, left < 0 || left + width > this.canvas.width);
  write.call(this, text, x, y);
};
true"""


@pytest.mark.parametrize("width", [400, 1200])
def test_labels_of_long_and_busy_histories_are_whole(page, shim, tmp_path, width):
    ended = RequestRecord(model="m", tokens_out=150_000_000, status=200, first_token_ns=1, ended_ns=10**9)
    days = history.History(tmp_path / history.FILE_NAME, 400)
    for day in map(history._day, range(0, 300, 7)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(history, "_day", lambda _, day=day: day)
            days.note(ended)
            days.write()
    days.close()
    page.resize(width, 900)
    running = shim(history_days=400)
    visit(page, running, "log")
    page.value(LABELS_CUT)
    turn_to(page, "history")
    rows(page, "history", "rows.length === 43")
    labels = page.until("labels.has('100,000,000') && Object.fromEntries(labels)")
    assert [label for label, is_cut in labels.items() if is_cut] == []
    assert history._day(0) in labels


def test_a_single_day_of_the_history_has_its_own_date(page, shim, monkeypatch):
    monkeypatch.setattr(history, "WRITE_SECONDS", 0.05)
    running = shim(history_days=3)
    visit(page, running)
    page.value(
        "window.written = new Set(); const write = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {"
        " written.add(text); write.call(this, text, ...more); }; true"
    )
    requests.post(f"{running.url}/api/generate", json={"model": "tiny", "prompt": "Hi"}, timeout=30)
    page.value("location.hash = 'history'")
    [row] = rows(page, "history")
    days = {text for text in page.until("written.size && [...written]") if text.startswith("20") and "-" in text}
    assert days == {row.split()[0]}


def test_first_value_of_a_plot_is_drawn(page, shim):
    running = shim()
    requests.post(f"{running.url}/api/generate", json={"model": "tiny", "prompt": "Hi"}, timeout=30)
    page.prefer("light")
    visit(page, running)
    page.until("document.getElementById('plot-first-now').innerText.endsWith('s')")
    page.until(f"({PIXELS_OF_THE_LINE})('plot-first') > 0")


def test_key_is_prompted_once_and_kept_for_the_tab(page, shim):
    running = shim(api_keys=("sk-1",))
    visit(page, running)
    for key in ("wrong", "sk-1"):
        page.until("document.getElementById('key-dialog').open")
        page.value(f"document.getElementById('key').value = '{key}'")
        page.click("#key-dialog button")
    rows(page, "loaded")
    visit(page, running)
    rows(page, "loaded")
    assert not page.value("document.getElementById('key-dialog').open")
    page.value("sessionStorage.clear()")
    page.complaints = [text for text in page.complaints if "401" not in text]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_fit_on_every_screen(page, shim, studio, theme):
    studio.answers[CHAT] = endless()
    running = shim()
    page.prefer(theme)
    with Client(running):
        visit(page, running)
        for width, view in itertools.product(WIDTHS, VIEWS):
            page.resize(width, 800)
            turn_to(page, view)
            assert page.value(NO_OVERFLOW), (width, view)
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 128"
    assert page.value(brightness) is (theme == "light")
    other = "dark" if theme == "light" else "light"
    page.value(f"document.getElementById('theme').value = '{other}'")
    page.value("document.getElementById('theme').dispatchEvent(new Event('change'))")
    assert page.value(brightness) is (theme != "light")
    page.value("localStorage.clear()")


def test_keyboard_alone_reaches_and_stops_a_stream(page, shim, studio):
    studio.answers[CHAT] = endless()
    running = shim()
    with Client(running) as client:
        visit(page, running)
        rows(page, "running")
        seen = []
        while not seen or "Stop the request" not in seen[-1]:
            assert len(seen) < 30, seen
            page.press("Tab")
            seen.append(page.value("document.activeElement.ariaLabel ?? document.activeElement.innerText") or "")
        assert seen[:3] == ["Skip to content", "Overview", "Requests"]
        page.press("Enter", text="\r")
        assert client.last()["error"]


def test_page_shows_advice_while_lm_studio_is_away(page, shim, studio):
    running = shim()
    studio.kill()
    visit(page, running)
    headline = page.until("document.querySelector('#headline .bad') && document.getElementById('headline').innerText")
    assert "not reachable" in headline
    assert "lms server start" in headline


def test_badge_stays_live_while_only_lm_studio_is_away(page, shim, studio):
    running = shim()
    studio.kill()
    visit(page, running, "models")
    page.until("document.getElementById('models-empty').innerText.includes('not reachable')")
    page.value("new Promise((done) => setTimeout(done, 1500))")  # from the first second on, it would be stale
    assert text(page, "freshness") == "Live"
    page.complaints = [text for text in page.complaints if "503" not in text]


def test_a_view_without_a_place_for_errors_announces_them(page, shim, tmp_path):
    running = shim(history_days=3)
    (tmp_path / history.FILE_NAME).write_bytes(b"no database" * 100)
    visit(page, running, "history")
    assert "can't be read" in page.until("document.getElementById('message').innerText")
    page.complaints = [text for text in page.complaints if "500" not in text]


def test_stale_badge_appears_when_the_server_is_away(page, studio, tmp_path):
    with Shim(studio.url, tmp_path) as running:
        visit(page, running)
        page.until("document.getElementById('freshness').innerText === 'Live'")
    page.until("document.getElementById('freshness').innerText.startsWith('Stale')")
    page.complaints = [text for text in page.complaints if "ERR_" not in text]

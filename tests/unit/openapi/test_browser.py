"""The page in a real browser: it shows itself under its policy, and requests can be tried."""

from __future__ import annotations

import pytest
from support.browser import browsing, find_browser

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from support.demo import Demo

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")

CHAT = "#operations-Chat_and_embed-post_api_chat"
STATUS = f"document.querySelector('{CHAT} .live-responses-table tbody .response-col_status')?.innerText.trim()"
ANSWER = f"document.querySelector('{CHAT} .live-responses-table').innerText"


@pytest.fixture(scope="module")
def browser_page():
    with browsing(BROWSER) as page:
        yield page


@pytest.fixture
def page(browser_page):
    """The page, without complaints of earlier tests."""
    browser_page.value("new Promise(done => setTimeout(done))")  # what the browser has to say comes before this answer
    browser_page.complaints.clear()
    return browser_page


@pytest.fixture
def shim(tmp_path):
    running = []

    def with_settings(**settings):
        running.append(Demo(tmp_path, **settings))
        return running[-1]

    yield with_settings
    for demo in running:
        demo.__exit__()


def try_chat(page):
    page.click(f"{CHAT} .opblock-summary-control")
    page.until(f"document.querySelector('{CHAT} textarea')?.value.includes('sky')")
    page.click(f"{CHAT} .execute")
    return page.until(STATUS)


def test_page_shows_the_api_and_sends_a_request(page, shim):
    page.go(f"{shim().url}/docs")
    page.until(f"document.querySelector('{CHAT}') !== null")
    assert page.value("document.title") == "flask-shim API"
    assert try_chat(page) == "200"
    assert "because air scatters" in page.value(ANSWER)
    assert page.complaints == []


def test_page_prompts_for_the_key_and_sends_it(page, shim):
    demo = shim(api_keys=("a-key",))
    page.go(f"{demo.url}/docs")
    page.until("document.getElementById('ask')?.hidden === false")
    enter(page, "another")
    page.until("document.getElementById('wrong').textContent.includes('not the right one')")
    enter(page, "a-key")
    page.until(f"document.querySelector('{CHAT}') !== null")
    assert try_chat(page) == "200"


def enter(page, key):
    page.value(f"document.getElementById('key').value = '{key}'")
    page.click("#ask button")


def test_browser_reports_violations_of_the_policy(page, shim):
    page.go(f"{shim().url}/docs/")
    page.until(f"document.querySelector('{CHAT}') !== null")
    page.value("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x.png\">')")
    page.value("new Promise(done => setTimeout(done))")
    assert any("Content Security Policy" in complaint for complaint in page.complaints)

"""The page at /shim/: what it is made of, who may see it, what protects it."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from support.apps import guarded

from flask_shim.dashboard import FILES

PAGE = files("flask_shim.dashboard")
SCRIPTS = sorted(name for name in FILES if name.endswith(".js") and not name.startswith("uPlot"))


@pytest.fixture(scope="module")
def client():
    return guarded(api_keys=("a-key",))[0].test_client()


def test_page_without_slash_leads_to_the_page(client):
    answer = client.get("/shim")
    assert (answer.status_code, answer.headers["Location"]) == (301, "shim/")


def test_page_needs_no_key_and_is_not_kept(client):
    answer = client.get("/shim/")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("path", ["/shim/", "/shim/static/page.js", "/shim/static/uPlot.LICENSE.txt"])
def test_policy_allows_nothing_from_elsewhere(client, path):
    answer = client.get(path)
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


def test_scripts_have_their_type_and_are_validated(client):
    answer = client.get("/shim/static/page.js")
    assert answer.content_type == "text/javascript; charset=utf-8"
    assert client.get("/shim/static/page.js", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("name", ["page.html", "__init__.py", "missing.js", "../templates/page.html"])
def test_other_files_are_not_given_out(client, name):
    assert client.get(f"/shim/static/{name}", headers={"Authorization": "Bearer a-key"}).status_code == 404


def test_page_and_scripts_name_only_files_there_are(client):
    html = client.get("/shim/").text
    assert set(re.findall(r'(?:href|src)="static/([^"]+)"', html)) <= FILES
    for name in SCRIPTS:
        source = PAGE.joinpath("static", name).read_text(encoding="utf-8")
        assert set(re.findall(r'from "\./([^"]+)"', source)) <= FILES
        assert set(re.findall(r'byId\("([\w-]+)"\)', source)) - {"replayed"} <= set(re.findall(r'id="([\w-]+)"', html))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_set_texts_only_as_text(name):
    source = PAGE.joinpath("static", name).read_text(encoding="utf-8")
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|://", source) == []


def test_token_is_the_cookies_and_survives_a_reload(client):
    first = client.get("/shim/")
    cookie = first.headers["Set-Cookie"]
    token = re.search(r'name="shim-token" content="([^"]+)"', first.text)[1]
    assert cookie.startswith(f"shim_token={token};")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert token in client.get("/shim/").text
    assert token not in client.application.test_client().get("/shim/").text


def test_browsers_find_the_page_and_clients_find_ollama(client):
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json, text/plain, */*"}):
        answer = client.get("/", headers=accept)
        assert (answer.text, answer.content_type) == ("Ollama is running", "text/plain; charset=utf-8")
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"})
    assert browser.content_type == "text/html; charset=utf-8"
    assert "Ollama is running" in browser.text
    assert 'href="shim/"' in browser.text


def test_pages_of_other_sites_get_nothing_whatever_the_api_allows():
    client = guarded(allowed_origins=("*",))[0].test_client()
    foreign = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    assert client.get("/api/version", headers=foreign).status_code == 200
    assert client.get("/shim/requests", headers=foreign).status_code == 403

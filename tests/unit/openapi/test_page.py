"""The page of the documentation: what it is made of, who may see it."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from support.apps import guarded

from flask_shim.routes.api_docs import FILES


@pytest.fixture
def client():
    return guarded(api_keys=("a-key",))[0].test_client()


def test_docs_without_slash_leads_to_the_page(client):
    answer = client.get("/docs")
    assert (answer.status_code, answer.headers["Location"]) == (301, "docs/")


@pytest.mark.parametrize("name", ["", *FILES])
def test_page_and_its_files_need_no_key(client, name):
    answer = client.get(f"/docs/{name}")
    assert answer.status_code == 200
    assert answer.data


def test_description_needs_the_key(client):
    assert client.get("/openapi.json").status_code == 401
    assert client.get("/openapi.json", headers={"Authorization": "Bearer a-key"}).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/page.js", "/openapi.json"])
def test_foreign_host_gets_nothing(client, path):
    assert client.get(path, headers={"Host": "rebound.example"}).status_code == 403


@pytest.mark.parametrize("name", ["missing.js", "swagger-ui.js", "../fields.py", "index.html", "__init__.py"])
def test_nothing_but_the_files_of_the_page_is_given_out(client, name):
    assert client.get(f"/docs/{name}", headers={"Authorization": "Bearer a-key"}).status_code == 404


@pytest.mark.parametrize("name", ["", *FILES])
def test_policy_allows_nothing_from_elsewhere(client, name):
    policy = client.get(f"/docs/{name}").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_page_names_only_files_there_are(client):
    named = re.findall(r'(?:href|src)="([^"]+)"', client.get("/docs/").text)
    assert set(named) == {name for name in FILES if name != "LICENSE"} | {"../openapi.json"}


@pytest.mark.parametrize("path", ["/docs/", "/docs/page.js", "/openapi.json"])
def test_what_has_not_changed_is_not_sent_again(client, path):
    first = client.get(path, headers={"Authorization": "Bearer a-key"})
    known = {"Authorization": "Bearer a-key", "If-None-Match": first.headers["ETag"]}
    again = client.get(path, headers=known)
    assert (again.status_code, again.data) == (304, b"")


def test_license_of_what_is_not_ours_is_there(client):
    assert client.get("/docs/LICENSE").data == (files("flask_swagger_ui") / "dist" / "LICENSE").read_bytes()

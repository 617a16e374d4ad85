"""The operator's routes: closed to pages of other sites, whatever the API allows them."""

from __future__ import annotations

import pytest

from flask_shim.middleware.operator_access import check_site, check_token, is_from_this_machine

TOKEN = "t" * 32
HOST = "box:11434"


def environ(path="/shim/requests", method="GET", **headers):
    return {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_HOST": HOST, **headers}


@pytest.mark.parametrize(
    ("sent", "is_allowed"),
    [
        ({}, True),
        ({"HTTP_SEC_FETCH_SITE": "same-origin"}, True),
        ({"HTTP_SEC_FETCH_SITE": "none"}, True),
        ({"HTTP_SEC_FETCH_SITE": "same-site"}, False),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, False),
        ({"HTTP_ORIGIN": f"http://{HOST}"}, True),
        ({"HTTP_ORIGIN": f"https://{HOST}"}, True),
        ({"HTTP_ORIGIN": "http://localhost:3000"}, False),
        ({"HTTP_ORIGIN": "null"}, False),
        ({"HTTP_ORIGIN": f"http://{HOST}", "HTTP_SEC_FETCH_SITE": "cross-site"}, False),
    ],
)
def test_only_its_own_page_and_programs_have_access(sent, is_allowed):
    assert (check_site(environ(**sent)) is None) is is_allowed
    assert (check_site(environ(method="DELETE", **sent)) is None) is is_allowed


@pytest.mark.parametrize("path", ["/shim/", "/shim/static/page.js"])
def test_links_of_other_sites_lead_to_the_page(path):
    assert check_site(environ(path, HTTP_SEC_FETCH_SITE="cross-site")) is None
    assert check_site(environ(path, "POST", HTTP_SEC_FETCH_SITE="cross-site")) is not None


@pytest.mark.parametrize(
    ("method", "headers", "cookie", "is_allowed"),
    [
        ("GET", {"HTTP_SEC_FETCH_SITE": "same-origin"}, "", True),
        ("DELETE", {}, "", True),
        ("DELETE", {"HTTP_SEC_FETCH_SITE": "same-origin"}, TOKEN, False),
        ("DELETE", {"HTTP_ORIGIN": f"http://{HOST}"}, TOKEN, False),
        ("DELETE", {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_X_SHIM_TOKEN": TOKEN}, TOKEN, True),
        ("DELETE", {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_X_SHIM_TOKEN": "x" * 32}, TOKEN, False),
        ("POST", {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_X_SHIM_TOKEN": ""}, "", False),
        ("POST", {"HTTP_SEC_FETCH_SITE": "none", "HTTP_X_SHIM_TOKEN": "\xff"}, TOKEN, False),
    ],
)
def test_browsers_need_the_token_to_change_something(method, headers, cookie, is_allowed):
    assert (check_token(environ(method=method, **headers), cookie) is None) is is_allowed


@pytest.mark.parametrize(
    ("address", "headers", "is_local"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("192.168.1.5", {}, False),
        ("", {}, False),
        ("127.0.0.1", {"HTTP_X_FORWARDED_FOR": "192.168.1.5"}, False),
        ("127.0.0.1", {"HTTP_FORWARDED": "for=192.168.1.5"}, False),
    ],
)
def test_requests_through_a_proxy_are_not_from_this_machine(address, headers, is_local):
    assert is_from_this_machine({"REMOTE_ADDR": address, **headers}) is is_local

"""What a server without a cloud says (section 10)."""

from __future__ import annotations

from conformance.row import Row, delete, error, get, post
from support.shapes import POSITIVE, TEXT, every, optional

DISABLED = "ollama cloud is disabled: "

ROWS: tuple[Row, ...] = (
    get("10", "there is no cloud", "/api/status", json={"cloud": {"disabled": True, "source": "config"}}),
    post("10", "no account is signed in", "/api/me", **error(401, "unauthorized")),
    post("10", "signing out fails", "/api/signout", **error(401, "you are not currently signed in")),
    delete(
        "10",
        "signing out by the old way fails",
        "/api/user/keys/abc",
        **error(401, "you are not currently signed in"),
    ),
    post(
        "10",
        "the web is not searched",
        "/api/experimental/web_search",
        {"query": "x"},
        **error(403, DISABLED + "web search is unavailable"),
    ),
    post(
        "10",
        "the web is not fetched",
        "/api/experimental/web_fetch",
        {"url": "x"},
        **error(403, DISABLED + "web fetch is unavailable"),
    ),
    get(
        "10",
        "what is there is recommended",
        "/api/experimental/model-recommendations",
        json={"recommendations": every({"model": TEXT, "description": TEXT, optional("context_length"): POSITIVE})},
        differs=(
            "/api/experimental/model-recommendations lists LM Studio's models: the ones that Ollama "
            "recommends could not be pulled here."
        ),
    ),
)

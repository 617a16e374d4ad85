"""Model names: missing, wrong, unknown, and all the ways to write a known one (section 3)."""

from __future__ import annotations

from typing import Any

from conformance.row import Row, anthropic_error, delete, error, get, openai_error, post
from support.shapes import ANYTHING, TEXT, mapping

_ASKS: dict[str, dict[str, Any]] = {
    "/api/generate": {"prompt": "Hello"},
    "/api/chat": {"messages": [{"role": "user", "content": "Hello"}]},
    "/api/embed": {"input": "hello"},
    "/api/embeddings": {"prompt": "hello"},
    "/api/show": {},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello"}]},
    "/v1/responses": {"input": "Hello"},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/embeddings": {"input": "hello"},
    "/v1/messages": {"max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]},
}
"""What each route needs in addition to the name."""

REQUIRED = "model is required"
INVALID = "invalid model name"
UNKNOWN = "model 'nope' not found"
PULL_IT = 'model "nope" not found, try pulling it first'

_TEXTS = (
    # route, status and text without a name, text for an unknown one
    ("/api/generate", 404, "model '' not found", UNKNOWN),
    ("/api/chat", 400, REQUIRED, UNKNOWN),
    ("/api/embed", 404, "model '' not found", PULL_IT),
    ("/api/embeddings", 400, REQUIRED, PULL_IT),
    ("/api/show", 400, REQUIRED, "model 'nope:latest' not found"),
    ("/v1/chat/completions", 400, REQUIRED, UNKNOWN),
    ("/v1/responses", 400, REQUIRED, UNKNOWN),
    ("/v1/completions", 404, "model '' not found", UNKNOWN),
    ("/v1/embeddings", 404, "model '' not found", PULL_IT),
    ("/v1/messages", 400, REQUIRED, UNKNOWN),
)

_INVALID = ("bad name", "a/b/c/d/e", "/x", "x:", ":x", "-x", "x" * 81, "a\nb", "x::y")


def _said(path: str, status: int, text: str) -> dict[str, Any]:
    if path == "/v1/messages":
        return anthropic_error(status, text)
    return openai_error(status, text) if path.startswith("/v1/") else error(status, text)


def _unnamed(path: str, status: int, empty: str, unknown: str) -> list[Row]:
    more = _ASKS[path]
    return [
        post("3", f"{path} without a model", path, more, **_said(path, status, empty)),
        post("3", f"{path} with an empty name", path, {"model": "", **more}, **_said(path, status, empty)),
        post("3", f"{path} with an unknown model", path, {"model": "nope", **more}, **_said(path, 404, unknown)),
    ]


_KNOWN = (
    ("in capitals", "PLAIN"),
    ("with its tag", "plain:latest"),
    ("with a tag in capitals", "plain:LATEST"),
    ("in full", "registry.ollama.ai/library/plain:latest"),
    ("with its namespace", "library/plain"),
    ("as one that must be here", "plain:local"),
    ("between spaces", "  plain "),
)

_OTHERS = (
    ("another tag", "plain:7b"),
    ("a part of it", "pla"),
    ("more than it", "plain2"),
    ("another publisher", "acme/plain"),
    ("another host", "example.com/library/plain"),
)

CLOUD = "ollama cloud is disabled: remote model is unavailable"

ROWS = (
    *(row for texts in _TEXTS for row in _unnamed(*texts)),
    *(
        post(
            "3",
            f"{path} with {name!r:.20} for a name",
            path,
            {"model": name, **_ASKS[path]},
            **_said(path, 400, INVALID),
        )
        for path in (
            "/api/generate",
            "/api/chat",
            "/api/embed",
            "/api/embeddings",
            "/api/show",
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/embeddings",
            "/v1/responses",
            "/v1/messages",
        )
        for name in _INVALID[:1]
    ),
    *(
        post("3", f"{name!r:.20} is no name", "/api/show", {"model": name}, **error(400, INVALID))
        for name in _INVALID[1:]
    ),
    get("3", "one model with an invalid name", "/v1/models/bad%20name", **openai_error(400, INVALID)),
    get("3", "one unknown model", "/v1/models/nope", **openai_error(404, "model 'nope:latest' not found")),
    *(
        post(
            "3",
            f"{path} knows a model {words}",
            path,
            {"model": name, "stream": False, **_ASKS[path]},
            json=mapping(ANYTHING, {"model": name}),
        )
        for words, name in _KNOWN
        for path in ("/api/generate", "/api/chat")
    ),
    *(post("3", f"a model is shown {words}", "/api/show", {"model": name}, json=ANYTHING) for words, name in _KNOWN),
    *(
        post(
            "3",
            f"{path} knows a model {words}",
            path,
            {"model": name.replace("plain", "tiny-embed").replace("PLAIN", "TINY-EMBED"), **_ASKS[path]},
            json=ANYTHING,
        )
        for words, name in _KNOWN
        for path in ("/api/embed", "/api/embeddings")
    ),
    *(
        post(
            "3",
            f"no model is meant by {words}",
            "/api/chat",
            {"model": name, **_ASKS["/api/chat"]},
            **error(404, f"model '{name}' not found"),
        )
        for words, name in _OTHERS
    ),
    post(
        "3",
        "a model of another publisher is known by both names",
        "/api/show",
        {"model": "acme/visitor"},
        json=ANYTHING,
    ),
    post(
        "3",
        "the publisher may be left out",
        "/api/show",
        {"model": "visitor"},
        json=ANYTHING,
        differs=(
            "A name without publisher finds LM Studio's `publisher/model` if only one model matches; Ollama "
            "looks for `library/model` and finds nothing."
        ),
    ),
    post(
        "3",
        "here and in the cloud at once",
        "/api/chat",
        {"model": "plain:cloud:local"},
        **error(400, 'use either :local or :cloud, not both: "plain:cloud:local"'),
    ),
    *(
        post(
            "3",
            f"nothing runs in the cloud: {name}",
            "/api/chat",
            {"model": name, **_ASKS["/api/chat"]},
            **error(403, CLOUD),
        )
        for name in ("gpt-oss:20b-cloud", "nope:cloud")
    ),
    post(
        "3",
        "nothing runs in the cloud by OpenAI's route",
        "/v1/chat/completions",
        {"model": "nope:cloud", **_ASKS["/v1/chat/completions"]},
        **openai_error(403, CLOUD),
        differs=(
            "Rejections of cloud models on /v1/ have OpenAI's envelope; Ollama uses its own there, which "
            "OpenAI's clients cannot read."
        ),
    ),
    post(
        "3",
        "nothing in the cloud is shown",
        "/api/show",
        {"model": "nope:cloud"},
        **error(403, "ollama cloud is disabled: remote model details are unavailable"),
    ),
    post("3", "show knows the old field", "/api/show", {"name": "nope"}, **error(404, "model 'nope:latest' not found")),
    post(
        "3",
        "the new field wins",
        "/api/show",
        {"name": "plain", "model": "nope"},
        **error(404, "model 'nope:latest' not found"),
    ),
    post(
        "3",
        "an empty new field does not win",
        "/api/show",
        {"name": "nope", "model": ""},
        **error(404, "model 'nope:latest' not found"),
    ),
    post("3", "chat does not know the old field", "/api/chat", {"name": "plain"}, **error(400, REQUIRED)),
    post(
        "3",
        "generate does not know the old field",
        "/api/generate",
        {"name": "plain"},
        **error(404, "model '' not found"),
    ),
    post(
        "3",
        "embed does not know the old field",
        "/api/embed",
        {"name": "tiny-embed"},
        **error(404, "model '' not found"),
    ),
    post("3", "pull needs a name", "/api/pull", {}, **error(400, INVALID)),
    post("3", "pull needs a sound name", "/api/pull", {"model": "bad name"}, **error(400, INVALID)),
    post("3", "push needs a name", "/api/push", {}, **error(400, REQUIRED)),
    post("3", "create needs a name", "/api/create", {"from": "plain"}, **error(400, INVALID)),
    post(
        "3", "create needs a sound name", "/api/create", {"model": "bad name", "from": "plain"}, **error(400, INVALID)
    ),
    post("3", "copy needs a source", "/api/copy", {}, **error(400, 'source "" is invalid')),
    post("3", "copy needs a destination", "/api/copy", {"source": "plain"}, **error(400, 'destination "" is invalid')),
    post(
        "3",
        "copy needs a sound source",
        "/api/copy",
        {"source": "bad name", "destination": "x"},
        **error(400, 'source "bad name" is invalid'),
    ),
    post(
        "3",
        "copy needs a sound destination",
        "/api/copy",
        {"source": "plain", "destination": "bad name"},
        **error(400, 'destination "bad name" is invalid'),
    ),
    post(
        "3",
        "copy needs a source that is there",
        "/api/copy",
        {"source": "nope", "destination": "x"},
        **error(404, 'model "nope" not found'),
    ),
    delete("3", "delete needs a name", "/api/delete", {}, **error(400, REQUIRED)),
    delete(
        "3",
        "delete needs a sound name",
        "/api/delete",
        {"model": "bad name"},
        **error(400, 'name "bad name" is invalid'),
    ),
    delete(
        "3",
        "delete needs a model that is there",
        "/api/delete",
        {"name": "nope:1b"},
        **error(404, "model 'nope:1b' not found"),
    ),
    post(
        "3",
        "names have their tag in lists only",
        "/api/generate",
        {"model": "plain", "prompt": "Hello", "stream": False},
        json=mapping(ANYTHING, {"model": "plain", "response": TEXT}),
    ),
)

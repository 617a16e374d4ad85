"""Paths, methods, headers, bodies: what holds for every route (sections 1.2 and 1.3)."""

from __future__ import annotations

from typing import Any

from conformance.row import Row, error, get, head, no_such_path, openai_error, post, wrong_method
from support.shapes import ANYTHING, TEXT, matching

BLOB = "/api/blobs/sha256:" + "0" * 64

_METHODS = (
    ("/", "HEAD, GET"),
    ("/api/version", "HEAD, GET"),
    ("/api/tags", "HEAD, GET"),
    ("/api/status", "GET"),
    ("/api/ps", "GET"),
    ("/api/experimental/model-recommendations", "GET"),
    ("/v1/models", "GET"),
    ("/v1/models/plain", "GET"),
    ("/api/show", "POST"),
    ("/api/generate", "POST"),
    ("/api/chat", "POST"),
    ("/api/embed", "POST"),
    ("/api/embeddings", "POST"),
    ("/api/pull", "POST"),
    ("/api/push", "POST"),
    ("/api/create", "POST"),
    ("/api/copy", "POST"),
    ("/api/me", "POST"),
    ("/api/signout", "POST"),
    ("/v1/chat/completions", "POST"),
    ("/v1/completions", "POST"),
    ("/v1/embeddings", "POST"),
    ("/v1/responses", "POST"),
    ("/v1/messages", "POST"),
    ("/api/delete", "DELETE"),
    (BLOB, "HEAD, POST"),
)


def _wrong(path: str, allow: str) -> list[Row]:
    allowed = allow.split(", ")
    return [
        Row(
            section="1.2", name=f"{method} {path} is no way to ask", method=method, path=path, **_refused(method, allow)
        )
        for method in ("GET", "POST", "PUT", "DELETE", "HEAD")
        if method not in allowed
    ]


def _refused(method: str, allow: str) -> dict[str, Any]:
    return {**wrong_method(allow), **({"text": None} if method == "HEAD" else {})}


_UNKNOWN = (
    ("GET", "/nope"),
    ("POST", "/nope"),
    ("GET", "/api"),
    ("GET", "/api/nope"),
    ("GET", "/API/tags"),
    ("GET", "/Api/Version"),
    ("POST", "/api/signin"),
    ("POST", "/api/web_search"),
    ("POST", "/api/web_fetch"),
    ("GET", "/debug/pprof/"),
)

_PASSED_ON = (
    ("GET", "/v1/responses/resp_1"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/images/edits"),
    ("GET", "/v1/nope"),
    ("POST", "/v1/nope"),
)

_CONTENT_TYPES = (
    None,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json; charset=latin-1",
    "nonsense",
)

ROWS = (
    *(row for path, allow in _METHODS for row in _wrong(path, allow)),
    *(
        Row(section="1.2", name=f"{method} {path} is unknown", method=method, path=path, body=body, **no_such_path())
        for method, path in _UNKNOWN
        for body in [{} if method == "POST" else None]
    ),
    head("1.2", "HEAD of the greeting", "/", type="text/plain; charset=utf-8", sent={"Content-Length": "17"}),
    head("1.2", "HEAD of the version", "/api/version", sent={"Content-Length": "21"}),
    head("1.2", "HEAD of the list", "/api/tags"),
    get("1.2", "a query says nothing", "/api/version?a=1&b", json={"version": "0.40.12"}),
    post(
        "1.2",
        "a query says nothing to a POST either",
        "/api/show?verbose=1",
        {"model": "nope"},
        **error(404, "model 'nope:latest' not found"),
    ),
    get(
        "1.2",
        "slashes at the beginning are one slash",
        "//api/version",
        json={"version": "0.40.12"},
        differs=(
            "Paths with repeated slashes, dots, or `/v1` before `/api` are answered as the path that was "
            "meant. Ollama redirects the first two and rejects the third. Base URLs with a suffix produce "
            "such paths."
        ),
    ),
    get(
        "1.2",
        "a slash at the end is one too many",
        "/api/tags/",
        status=301,
        type="text/html; charset=utf-8",
        text='<a href="/api/tags">Moved Permanently</a>.\n\n',
        sent={"Location": "/api/tags"},
    ),
    post(
        "1.2",
        "a slash at the end of a POST is one too many",
        "/api/show/",
        {"model": "plain"},
        status=307,
        type=None,
        text="",
        sent={"Location": "/api/show"},
    ),
    *(
        get(
            "1.2",
            f"{path} is known as what it should be",
            path,
            json={"version": "0.40.12"},
            differs=(
                "Paths with repeated slashes, dots, or `/v1` before `/api` are answered as the path that was "
                "meant. Ollama redirects the first two and rejects the third. Base URLs with a suffix produce "
                "such paths."
            ),
        )
        for path in ("/api//version", "/api/./version", "/api/x/../version", "/v1/api/version")
    ),
    *(
        Row(
            section="1.2",
            name=f"{method} {path} is LM Studio's to know",
            method=method,
            path=path,
            body={"model": "plain"} if method == "POST" else None,
            **openai_error(404, matching(".*Unexpected endpoint.*")),
            differs=(
                "Paths below /v1/ that Ollama does not know are passed on to LM Studio with GET, or POST and a model; "
                "if it does not know them either, the answer is 404 in OpenAI's envelope."
            ),
        )
        for method, path in _PASSED_ON
    ),
    *(
        post(
            "1.3",
            f"the content type {content_type} does not matter",
            "/api/show",
            {"model": "nope"},
            headers={"Content-Type": content_type},
            **error(404, "model 'nope:latest' not found"),
        )
        for content_type in _CONTENT_TYPES
    ),
    post(
        "1.3",
        "a form is no JSON",
        "/api/show",
        b"model=nope",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        **error(400, "invalid character 'm' looking for beginning of value"),
    ),
    *(
        get(
            "1.3",
            f"the header {name}: {value} says nothing",
            "/api/version",
            headers={name: value},
            json={"version": "0.40.12"},
        )
        for name, value in (
            ("Accept", "text/html"),
            ("Authorization", "Bearer "),
            ("Authorization", "Basic eDp5"),
            ("x-api-key", "x"),
            ("anthropic-version", "2023-06-01"),
        )
    ),
    post(
        "1.3",
        "a broken gzip body is rejected",
        "/api/show",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        headers={"Content-Encoding": "gzip"},
        **error(400, "request body is not valid gzip"),
        differs="Request bodies with `Content-Encoding` zstd, gzip, deflate or br are decoded on every route, others "
        "are refused with 415; Ollama decodes only zstd, and only on /v1/.",
    ),
    post(
        "1.3",
        "a broken zstd body is rejected",
        "/v1/chat/completions",
        b"\x28\xb5\x2f\xfd\x00",
        headers={"Content-Encoding": "zstd"},
        **openai_error(400, TEXT),
    ),
    post(
        "1.3",
        "a body may come in chunks",
        "/api/show",
        b'8\r\n{"model"\r\n8\r\n: "nope"\r\n1\r\n}\r\n0\r\n\r\n',
        headers={"Content-Length": None, "Transfer-Encoding": "chunked"},
        **error(404, "model 'nope:latest' not found"),
    ),
    post(
        "1.3",
        "a body of eight megabytes is taken",
        "/api/show",
        {"model": "nope", "junk": "x" * 8_000_000},
        **error(404, "model 'nope:latest' not found"),
    ),
    get(
        "1.3",
        "answers are not to be kept by anybody",
        "/api/version",
        json=ANYTHING,
        sent={"Cache-Control": None, "Content-Encoding": None, "ETag": None},
    ),
    get(
        "1.3",
        "answers have a number",
        "/api/version",
        json=ANYTHING,
        sent={"X-Request-Id": TEXT},
        differs="Every response has an `X-Request-Id`; the log line of the request has the same id.",
    ),
    *(
        post(
            "1.3",
            f"errors of {path} have their charset",
            path,
            body,
            **expected,
            differs=(
                "Errors have a charset in their content type and no newline at the end. Where Ollama would "
                "stream, and on /v1/ when the model is at fault, they have no charset; on /v1/ those end with a "
                "newline."
            ),
        )
        for path, body, expected in (
            ("/api/create", {"model": "m"}, error(400, "neither 'from' or 'files' was specified")),
            (
                "/v1/completions",
                {"model": "nope", "prompt": "x"},
                {
                    **openai_error(404, "model 'nope' not found"),
                    "text": '{"error":{"message":"model \'nope\' not found","type":"not_found_error",'
                    '"param":null,"code":null}}',
                },
            ),
        )
    ),
    get(
        "1.3",
        "long answers come in one piece",
        "/api/tags",
        json=ANYTHING,
        sent={"Content-Length": TEXT},
        differs="JSON of more than 2 KiB has a Content-Length; Ollama sends it chunked.",
    ),
    post(
        "1.3",
        "streams ask not to be held back",
        "/api/chat",
        {"model": "plain", "messages": [{"role": "user", "content": "Hello"}]},
        type=ANYTHING,
        sent={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Transfer-Encoding": "chunked"},
        differs=(
            "Streams have `Cache-Control: no-store` and `X-Accel-Buffering: no`, so that proxies do not "
            "buffer them; Ollama sends `no-cache` on /v1/responses and /v1/messages, and else neither."
        ),
    ),
    get("1.3", "dates are in GMT", "/api/version", sent={"Date": matching(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT")}),
)

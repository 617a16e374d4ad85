"""Who may ask: hosts and origins (sections 1.4 and 1.5)."""

from __future__ import annotations

from conformance.row import Row, get
from support.shapes import ANYTHING, TEXT

VERSION = {"version": "0.40.12"}

# Some of those in tests/unit/middleware: test_hosts.py and test_origins.py.
_HOSTS = ("localhost:11434", "foo.local", "host.docker.internal", "192.168.1.5", "[::1]:11434")
_FOREIGN_HOSTS = ("evil.com", "localhost.evil.com")
_ORIGINS = ("http://localhost", "https://127.0.0.1:8080", "app://obsidian.md", "vscode-webview://abc")
_FOREIGN_ORIGINS = ("http://example.com", "chrome-extension://abc", "null")

ALLOWED_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout,X-Api-Key,Anthropic-Version"
)

REASON = "A rejected host or origin gets 403 with a text that names the setting; Ollama sends an empty body."


def _preflight(origin: str, path: str = "/api/chat") -> Row:
    return Row(
        section="1.5", name=f"a preflight from {origin} for {path}", method="OPTIONS", path=path, status=204, type=None,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
        sent={"Access-Control-Allow-Origin": origin, "Access-Control-Max-Age": "43200",
              "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
              "Access-Control-Allow-Credentials": None},
    )  # fmt: skip


ROWS = (
    *(get("1.4", f"we are called {host}", "/api/version", headers={"Host": host}, json=VERSION) for host in _HOSTS),
    *(
        get(
            "1.4",
            f"we are not called {host} ({path})",
            path,
            headers={"Host": host},
            status=403,
            type=ANYTHING,
            json={"error": TEXT},
            differs=REASON,
        )
        for host in _FOREIGN_HOSTS
        for path in ("/api/version", "/nope")
    ),
    get(
        "1.4",
        "any address may be ours",
        "/api/version",
        headers={"Host": "8.8.8.8"},
        json=VERSION,
        differs=(
            "The `Host` header is checked on every bind, not only on loopback, and any IP address is "
            "accepted, not only private ones: only names can be forged by a web page."
        ),
    ),
    *(
        get(
            "1.5",
            f"{origin} may ask",
            "/api/version",
            headers={"Origin": origin},
            json=VERSION,
            sent={
                "Access-Control-Allow-Origin": origin,
                "Vary": "Origin",
                "Access-Control-Allow-Credentials": None,
                "Access-Control-Expose-Headers": None,
            },
        )
        for origin in _ORIGINS
    ),
    get(
        "1.5",
        "an allowed page learns that a path is unknown",
        "/nope",
        headers={"Origin": "http://localhost"},
        status=404,
        type="text/plain",
        text="404 page not found",
        sent={"Access-Control-Allow-Origin": "http://localhost", "Vary": "Origin"},
    ),
    *(
        get(
            "1.5",
            f"{origin} may not ask for {path}",
            path,
            headers={"Origin": origin},
            status=403,
            type=ANYTHING,
            json={"error": TEXT},
            sent={"Access-Control-Allow-Origin": None},
            differs=REASON,
        )
        for origin in _FOREIGN_ORIGINS
        for path in ("/api/version", "/nope")
    ),
    get(
        "1.5",
        "an unknown origin is not special",
        "/api/version",
        json=VERSION,
        sent={"Access-Control-Allow-Origin": None},
    ),
    *(_preflight(origin) for origin in _ORIGINS),
    _preflight("http://localhost", "/nope"),
    Row(
        section="1.5",
        name="a preflight lists the headers it allows",
        method="OPTIONS",
        path="/api/chat",
        status=204,
        type=None,
        headers={"Origin": "http://localhost"},
        sent={"Access-Control-Allow-Headers": ALLOWED_HEADERS},
        differs="Preflights also allow Anthropic's headers (`X-Api-Key`, `Anthropic-Version`).",
    ),
    Row(
        section="1.5",
        name="a preflight of a foreign page",
        method="OPTIONS",
        path="/api/chat",
        status=403,
        type=ANYTHING,
        headers={"Origin": "http://example.com"},
        sent={"Access-Control-Allow-Origin": None},
    ),
    Row(
        section="1.5",
        name="a preflight without an origin to a name",
        method="OPTIONS",
        path="/api/chat",
        status=204,
        type=None,
        headers={"Host": "localhost"},
    ),
    Row(
        section="1.5",
        name="a preflight without an origin to an address",
        method="OPTIONS",
        path="/api/chat",
        status=405,
        type="text/plain",
        text="405 method not allowed",
        sent={"Allow": "POST"},
    ),
)

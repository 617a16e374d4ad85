"""Check the shim: whether it answers, accepts the key, and is ready."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from flask_shim.config import Config
from flask_shim.doctor.findings import Finding, fail, note, ok, warn
from flask_shim.doctor.probe import ProbeResponse

SLOW_SECONDS = 1.0
"""The version needs no request to LM Studio."""

_LIMIT = re.compile(r"(?m)^shim_generations_limit(?:\{[^}]*\})? (\S+)$")


def judge_entrance(url: str, version: ProbeResponse, *, wants_key: bool) -> Iterator[Finding]:
    """Judge the response to GET /api/version, which was requested with the key if ``wants_key``."""
    refusal = refusal_in("GET /api/version", version)
    if refusal is not None:
        yield refusal
        return
    ollama_version = version.json.get("version") if isinstance(version.json, dict) else None
    if not isinstance(ollama_version, str):
        remedy = "Check the address, and the proxy in front of the shim."
        yield fail("shim", f"what answers at {url} has no version: it is neither the shim nor Ollama", remedy)
        return
    yield ok("shim", f"{url} answers as Ollama {ollama_version}{', and accepts the key' if wants_key else ''}")
    if version.seconds > SLOW_SECONDS:
        text = f"GET /api/version took {version.seconds:.1f} s"
        yield warn("shim-slow", text, "Use 127.0.0.1 instead of localhost, and check the proxy in front of the shim.")


def refusal_in(name: str, response: ProbeResponse) -> Finding | None:
    """Return why a request did not reach the shim or was refused by it, None if it was answered."""
    if response.fault:
        remedy = "Check that the shim runs there, and the proxy in front of it."
        return fail("unreachable", f"{name}: {response.fault}", remedy)
    if response.status == 401:
        return fail("key", f"{name}: a key is required", "Set SHIM_API_KEY to one of its keys for the doctor, too.")
    if response.status == 403:
        return fail("refused", f"{name}: {response.error or 'refused'}", _remedy_for(response.error))
    if 300 <= response.status < 400:
        where = response.headers.get("location", "elsewhere")
        return fail(
            "redirect", f"{name}: redirected to {where}", "Use that address: not every client follows a redirect."
        )
    if response.status == 503:
        why, _, rest = response.error.partition(". ")
        return fail("unavailable", f"{name}: {why}", rest or "Try again; the shim's log has the reason.")
    if response.status >= 400:
        text = f"{name}: status {response.status} {response.error}".rstrip()
        return fail("status", text, "Read the shim's log, and check the proxy in front of it.")
    return None


def _remedy_for(text: str) -> str:
    if text.startswith("host not allowed"):
        return "Add the name to SHIM_ALLOWED_HOSTS, or let the proxy in front keep the Host header."
    if text.startswith("origin not allowed"):
        return "Add the origin to SHIM_ALLOWED_ORIGINS."
    return "Check the proxy in front of the shim."


def judge_ready(ready: ProbeResponse) -> Iterator[Finding]:
    """Judge the response to GET /ready, which only the shim has."""
    state = ready.json if isinstance(ready.json, dict) else {}
    if state.get("status") == "ok" and "error" in state:
        yield note("ready", "LM Studio does not answer; the first request wakes it")
    elif state.get("status") == "ok":
        yield ok("ready", f"it reaches LM Studio, with {state.get('models')} models")
    elif state.get("status") == "draining":
        yield warn("ready", "it is stopping and accepts no more work", "Start it again.")
    elif state.get("status") == "unavailable":
        why, _, rest = str(state.get("error", "")).partition(". ")
        yield fail("ready", f"it does not reach LM Studio: {why}", rest or "Start LM Studio's server.")


def judge_threads(metrics: ProbeResponse, config: Config) -> Iterator[Finding]:
    """Compare the limit of concurrent generations in its metrics with the settings."""
    found = _LIMIT.search(metrics.body.decode("utf-8", "replace")) if metrics.is_good else None
    if found is None:
        return
    limit, wanted = int(float(found[1])), math.ceil(config.max_streams / config.workers)
    if limit < wanted:
        text = f"only {limit} generations can run at once, not {wanted}: waitress was started with too few threads"
        yield warn("threads", text, f"Start it with waitress-serve --threads={config.threads}, or with flask-shim.")


def judge_openness(config: Config) -> Iterator[Finding]:
    """Note that other machines need no key."""
    if config.allow_open and not config.api_keys:
        yield note("open", "every machine that reaches it may use it: no key is required")

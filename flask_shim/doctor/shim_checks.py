"""The shim: whether it answers, whom it lets in, and whether it is ready."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from flask_shim.config import Config
from flask_shim.doctor.findings import Finding, fail, note, ok, warn
from flask_shim.doctor.probe import ProbeResponse

SLOW_SECONDS = 1.0
"""It answers for its version without asking anybody."""

_LIMIT = re.compile(r"(?m)^shim_generations_limit(?:\{[^}]*\})? (\S+)$")


def judge_entrance(url: str, version: ProbeResponse, *, wants_key: bool) -> Iterator[Finding]:
    """Judge the answer to GET /api/version; ``wants_key`` if the shim wants one, which it was asked with then."""
    refusal = refusal_in("GET /api/version", version)
    if refusal is not None:
        yield refusal
        return
    told = version.json.get("version") if isinstance(version.json, dict) else None
    if not isinstance(told, str):
        remedy = "Look at what stands in front of the shim, and at the address."
        yield fail("shim", f"what answers at {url} tells no version: it is neither the shim nor Ollama", remedy)
        return
    yield ok("shim", f"{url} answers as Ollama {told}{', and takes the key' if wants_key else ''}")
    if version.seconds > SLOW_SECONDS:
        text = f"it takes {version.seconds:.1f} s to answer for its version"
        yield warn("shim-slow", text, "Use 127.0.0.1 in place of localhost, and look at what stands in front.")


def refusal_in(name: str, response: ProbeResponse) -> Finding | None:
    """Return why a request did not get through to the shim or was turned away by it, None if it got an answer."""
    if response.fault:
        remedy = "Look whether the shim runs there, and at what stands in front of it."
        return fail("unreachable", f"{name}: {response.fault}", remedy)
    if response.status == 401:
        return fail("key", f"{name}: a key is asked for", "Set SHIM_API_KEY to one of its keys, for the doctor, too.")
    if response.status == 403:
        return fail("refused", f"{name}: {response.error or 'refused'}", _remedy_for(response.error))
    if 300 <= response.status < 400:
        where = response.headers.get("location", "elsewhere")
        return fail("redirect", f"{name}: sent on to {where}", "Use that address: not every client follows.")
    if response.status == 503:
        why, _, rest = response.error.partition(". ")
        return fail("unavailable", f"{name}: {why}", rest or "Try again, and look into the log of the shim.")
    if response.status >= 400:
        text = f"{name}: status {response.status} {response.error}".rstrip()
        return fail("status", text, "Look into the log of the shim, and at what stands in front of it.")
    return None


def _remedy_for(text: str) -> str:
    if text.startswith("host not allowed"):
        return "Add the name to SHIM_ALLOWED_HOSTS, or have the proxy in front keep the Host header."
    if text.startswith("origin not allowed"):
        return "Add the origin to SHIM_ALLOWED_ORIGINS."
    return "Look at what stands in front of the shim."


def judge_ready(ready: ProbeResponse) -> Iterator[Finding]:
    """Judge the answer to GET /ready; what has no such route is not judged."""
    state = ready.json if isinstance(ready.json, dict) else {}
    if state.get("status") == "ok":
        yield ok("ready", f"it reaches LM Studio, with {state.get('models')} models")
    elif state.get("status") == "draining":
        yield warn("ready", "it is about to stop, and takes no more work", "Start it again.")
    elif state.get("status") == "unavailable":
        why, _, rest = str(state.get("error", "")).partition(". ")
        yield fail("ready", f"it does not reach LM Studio: {why}", rest or "Start LM Studio's server.")


def judge_threads(metrics: ProbeResponse, config: Config) -> Iterator[Finding]:
    """Judge by its metrics how many generations it runs at once, against what the settings say."""
    told = _LIMIT.search(metrics.body.decode("utf-8", "replace")) if metrics.is_good else None
    if told is None:
        return
    limit, wanted = int(float(told[1])), math.ceil(config.max_streams / config.workers)
    if limit < wanted:
        text = f"only {limit} generations can run at once, not {wanted}: waitress was started with too few threads"
        yield warn("threads", text, f"Start it with waitress-serve --threads={config.threads}, or with flask-shim.")


def judge_openness(config: Config) -> Iterator[Finding]:
    """Say who can reach it."""
    if config.allow_open and not config.api_keys:
        yield note("open", "every machine that reaches it may use it: no key is asked for")

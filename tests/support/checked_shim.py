"""A real shim that is looked at closely: what it holds, what it writes, and whether all is given back."""

from __future__ import annotations

import re
from itertools import count

from support.processes import ShimProcess
from support.resources import resources_of, wait_until_released
from support.wire import Wire, send_request

PROMPT = "an-open-sesame-that-must-not-be-read"
"""Is in every prompt of these tests, and in no line of any log."""

TOKEN = "lms-token-that-must-not-be-read"

STREAMS = 4
THREADS = 12

PATIENT = {"SHIM_MAX_STREAMS": str(STREAMS), "SHIM_THREADS": str(THREADS), "SHIM_MAX_KEEPALIVE_CONNECTIONS": "1"}
IMPATIENT = PATIENT | {
    "SHIM_MAX_KEEPALIVE_CONNECTIONS": "0",  # requests on kept connections may be repeated
    "SHIM_FIRST_BYTE_TIMEOUT": "0.6",
    "SHIM_IDLE_TIMEOUT": "0.5",
    "SHIM_LIST_TIMEOUT": "0.7",
    "SHIM_LOAD_TIMEOUT": "0.6",
    "SHIM_REQUEST_RETRIES": "0",
    "SHIM_MAX_STREAM_BYTES": "2000000",
    "SHIM_MAX_REQUEST_BYTES": "2000000",
}
TRUSTING = PATIENT | {"SHIM_MODEL_CACHE_TTL_SECONDS": "30", "SHIM_REQUEST_RETRIES": "0"}
ALWAYS = {"SHIM_MODEL_CACHE_TTL_SECONDS": "0", "SHIM_LMSTUDIO_TOKEN": TOKEN}

_NUMBERS = count(1)
_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \S+ id=\S+ ")


def chat(**more):
    """Return the body of a chat."""
    return {"model": "tiny", "messages": [{"role": "user", "content": PROMPT}]} | more


class CheckedShim:
    """A shim, what it held when it was idle, and its log since the test began."""

    def __init__(self, shim, baseline):
        self.shim, self.baseline, self.port = shim, baseline, shim.port
        beginning = f"/test-{next(_NUMBERS)}"
        self.ask(beginning)  # lines are written a moment later, those of tests before this one, too
        self._begins = shim.until(rf"path={beginning} .*\n").end()

    @property
    def log(self):
        return self.shim.log[self._begins :]

    def ask(self, path, body=None, **more):
        """Send one request and return the answer."""
        return send_request(self.port, path, body, **more)

    def wire(self, path, body=None, **more):
        """Send one request and return the connection."""
        wire = Wire(self.port)
        wire.ask(path, body, **more)
        return wire

    def end_of(self, path, nth=1):
        """Wait for the log line of a request that ended; return its fields."""
        line = rf".*? flask_shim\.observability\.access_log [^\n]*path={re.escape(path)} "
        self.shim.until(rf"(?s)\A.{{{self._begins}}}({line}){{{nth}}}")
        line = [line for line in self.log.splitlines() if f" path={path} " in line][nth - 1]
        return {"level": line.split()[1]} | dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line))


def start_shim(studio, settings, **more):
    """Start a shim and have it do a bit of everything, so that all that it keeps is there."""
    shim = ShimProcess(studio.url, **(ALWAYS | settings | more))
    for stream in (True, False):
        assert send_request(shim.port, "/api/chat", chat(stream=stream)).status == 200
    with Wire(shim.port) as wire:
        wire.ask("/api/chat", chat())
        wire.until(b'"done":true')
    return shim


def idle_resources(shim):
    """Return what a shim holds when it has nothing to do."""
    first = resources_of(shim)
    return wait_until_released(shim, first._replace(slots=0, calls=0, connections=0))


def check_log(log):
    """Fail for a record that is not one line of ASCII, or that contains a secret."""
    assert log.isascii()
    assert PROMPT not in log
    assert TOKEN not in log
    assert [line for line in log.splitlines() if " flask_shim" in line and not _LINE.match(line)] == []

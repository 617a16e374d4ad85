"""A real browser without a window, controlled over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
DEADLINE_SECONDS = 30.0

_KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40}

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1400",
    "--remote-debugging-port=0",
)


def find_browser() -> str | None:
    """Return the path of the browser, None if it is not installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page of the browser."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._calls = 0
        self.complaints: list[str] = []
        """What the console said is wrong, and what the policy of the page's security refused."""
        self.requested: list[str] = []
        """The addresses of all requests."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._calls:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        entry = message.get("params", {}).get("entry", {})
        if message["method"] == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        if message["method"] == "Log.entryAdded" and entry["level"] == "error":
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}")
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))

    def go(self, url: str) -> None:
        """Open an address."""
        self.call("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """Return what a JavaScript expression is worth."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true, and return what it is worth."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (value := self.value(script)):
            assert time.monotonic() < deadline, f"not in time: {script}\n{self.value('document.body.innerText')}"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Click what a selector finds, as soon as it is there."""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, key: str, *, text: str = "") -> None:
        """Press and release a key, by its name in DOM events; ``text`` is what it writes."""
        code = _KEY_CODES.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            written = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **written)

    def resize(self, width: int, height: int) -> None:
        """Give the page the size of another screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, theme: str) -> None:
        """Set the theme of the system: light or dark."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def picture(self, path: Path) -> None:
        """Write what is to be seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def browsing(program: str) -> Iterator[Page]:
    """Run the browser; yield its page."""
    with tempfile.TemporaryDirectory(prefix="flask-shim-browser-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            (program, *FLAGS, f"--user-data-dir={folder}", "about:blank"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with contextlib.closing(_connected(Path(folder), process)) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def _connected(folder: Path, process: subprocess.Popen[bytes]) -> websocket.WebSocket:
    """Wait until the browser has written its port down, and connect to its page."""
    noted = folder / "DevToolsActivePort"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (noted.is_file() and noted.read_text(encoding="ascii").count("\n")):
        assert process.poll() is None, "the browser has ended"
        assert time.monotonic() < deadline, "the browser does not start"
        time.sleep(0.05)
    port = int(noted.read_text(encoding="ascii").split()[0])
    with requests.Session() as session:
        session.trust_env = False
        pages = session.get(f"http://127.0.0.1:{port}/json", timeout=DEADLINE_SECONDS).json()
    address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    return websocket.create_connection(address, timeout=DEADLINE_SECONDS, suppress_origin=True)

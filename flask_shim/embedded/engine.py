"""Start and stop llama.cpp engines: one child process for each loaded model."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, cast

from flask_shim.embedded import engine_process
from flask_shim.embedded.shell_commands import install_command
from flask_shim.lmstudio import ClientOptions, LMStudio
from flask_shim.lmstudio.errors import BackendProtocolError, ClientDisconnected, ModelLoadError, NotSupported
from flask_shim.lmstudio.lms.tool import NO_WINDOW

IsDisconnected = Callable[[], bool]
"""Returns whether the client has disconnected."""

IMPORT_SECONDS = 60.0
LOG_LINES = 12
POLL_SECONDS = 0.05
STOP_SECONDS = 3.0


def require_engine() -> None:
    """Raise NotSupported with the remedy unless the engine's package can be imported.

    The import runs in a child process, so that this one never loads the native library.
    """
    if find_spec("xllamacpp") is None:
        raise NotSupported(f"The engine of the demo is not installed. Install it: {install_command('xllamacpp')}")
    check = subprocess.run(
        [sys.executable, "-c", "import xllamacpp"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        creationflags=NO_WINDOW,
        timeout=IMPORT_SECONDS,
        check=False,
    )
    if check.returncode:
        lines = check.stderr.decode("utf-8", "replace").split("\n")
        error = next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {check.returncode}")
        if sys.platform == "win32":
            runtime = install_command("msvc-runtime")
            remedy = f"It needs the Microsoft Visual C++ runtime; install that, or run: {runtime}"
        else:
            remedy = f"Install it again: {install_command('xllamacpp')} --force-reinstall"
        raise NotSupported(f"The engine of the demo (xllamacpp) cannot be imported: {error}. {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadConfig:
    """The parameters of a load; ``context_length`` is in tokens per slot, ``num_experts`` is only reported back."""

    context_length: int
    eval_batch_size: int = 512
    flash_attention: bool = True
    offload_kv_cache_to_gpu: bool = True
    num_experts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """The parameters of an engine; ``min_p`` is the default for requests."""

    model: str
    alias: str
    config: LoadConfig
    slots: int
    projector: str | None
    is_embedding: bool
    endless: bool
    min_p: float | None
    # Web pages can reach any loopback port, so the engine requires a key.
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)


class Engine:
    """A running engine. The caller stops it; it also ends with this process.

    ``settled`` is set once the engine listens, with a ``client`` for it, or has ended.
    """

    def __init__(self, spec: EngineSpec) -> None:
        """Start the process without waiting until it listens."""
        self.spec = spec
        self.client: LMStudio | None = None
        self.settled = threading.Event()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [sys.executable, str(Path(engine_process.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=NO_WINDOW,
        )
        self._reader = threading.Thread(target=self._read, name=f"engine-{spec.alias}", daemon=True)
        self._reader.start()
        self._send(asdict(spec))

    @property
    def exit_code(self) -> int | None:
        """The exit code of an engine that has ended, else None."""
        return self._process.poll()

    def last_log_lines(self) -> str:
        """Return the end of the engine's log."""
        return "\n".join(self._log)

    def stop(self) -> None:
        """End the process, after ``STOP_SECONDS`` by force; safe to call twice."""
        # Closing flushes the spec, which a dead process no longer reads.
        with suppress(OSError):
            cast("IO[bytes]", self._process.stdin).close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self.client is not None:
            self.client.close()

    def _send(self, spec: dict[str, object]) -> None:
        stdin = cast("IO[bytes]", self._process.stdin)
        # If it died before it read its input, its log has the reason.
        with suppress(OSError):
            stdin.write(json.dumps(spec).encode() + b"\n")
            stdin.flush()

    def _read(self) -> None:
        """Keep the last log lines until the process ends, and make the client; then end its requests."""
        with cast("IO[bytes]", self._process.stdout) as lines:
            for raw in lines:
                line = raw.decode("utf-8", "replace").strip()
                if line.startswith(engine_process.READY):
                    url, key = line.removeprefix(engine_process.READY), self.spec.key
                    options = ClientOptions(base_url=url, token=key, connect_retries=0, max_keepalive_connections=0)
                    self.client = LMStudio(options)
                    self.settled.set()
                elif line:
                    self._log.append(line)
        self._process.wait()
        if self.client is not None:  # the engine's end of a connection may stay open in another process
            self.client.watchdog.cancel_all(BackendProtocolError("the engine has ended"))
        self.settled.set()


def start_engine(spec: EngineSpec, is_disconnected: IsDisconnected) -> Engine:
    """Start an engine and wait until it listens.

    Raise ModelLoadError with the end of its log if it fails, ClientDisconnected if the client disconnects meanwhile; in
    both cases the process is stopped.
    """
    engine = Engine(spec)
    try:
        while not engine.settled.wait(POLL_SECONDS):
            if is_disconnected():
                raise ClientDisconnected
        if engine.client is None:
            raise ModelLoadError(f"the engine ended at once: {engine.last_log_lines()}")
    except BaseException:
        engine.stop()
        raise
    return engine

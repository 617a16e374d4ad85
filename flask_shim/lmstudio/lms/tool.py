"""LM Studio's ``lms`` tool, which starts LM Studio, and loads, unloads and downloads models for versions before 0.4.

It is started without a shell and without a terminal. Since it guesses what a name means, models are loaded by their
exact path, and the download of another model is aborted.
"""

from __future__ import annotations

import io
import queue
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import orjson

from flask_shim.lmstudio.downloads import POLL_SECONDS, Download
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    InvalidModelName,
    NotSupported,
)
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.error_parsing import error_from_text
from flask_shim.lmstudio.lms.output import Lines, error_text, picks_another, progress_of

LOOK_SECONDS = 0.1
"""How often the call is checked while the tool runs."""

LIST_SECONDS = 60.0
LOAD_SECONDS = 600.0
START_SECONDS = 60.0
"""How long the daemon or its server may take to start; ``lms server start`` checks for 5 s whether it succeeded."""

_BLOCK_BYTES = 4096
_MOST_OUTPUT_BYTES = 16 << 20
_TAIL_LINES = 20

NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""A flag without which Windows opens a console window for a child of a service or of a program with windows."""

Row = dict[str, Any]
Output = int | IO[bytes]


class CliTool:
    """The ``lms`` program at one path. Methods raise :class:`LMStudioError`; a canceled call ends the program."""

    def __init__(self, program: Path, *, load_timeout: float | None = LOAD_SECONDS) -> None:
        """Start nothing yet; ``load_timeout`` is in seconds, None for no limit."""
        self.program = program
        self._load_timeout = load_timeout

    def ls(self, *, call: BackendCall | None = None) -> list[Row]:
        """Return the models on disk with the tool's keys: modelKey, path, sizeBytes and others."""
        return self._rows("ls", call)

    def ps(self, *, call: BackendCall | None = None) -> list[Row]:
        """Return the loaded models with the tool's keys: identifier, modelKey, contextLength and others."""
        return self._rows("ps", call)

    def load(self, key: str, *, context_length: int | None = None, call: BackendCall | None = None) -> None:
        """Load exactly that model and wait until it is ready."""
        rows = self.ls(call=call)
        path = next((row.get("path") for row in rows if key in (row.get("modelKey"), row.get("path"))), None)
        if not isinstance(path, str):
            raise BackendRequestError(f'the lms tool lists no model "{key}"', status=404)
        options = ("--context-length", str(context_length)) if context_length else ()
        self._run("load", "--exact", "--yes", *options, _operand(path), timeout=self._load_timeout, call=call)

    def unload(self, identifier: str, *, call: BackendCall | None = None) -> tuple[str, ...]:
        """Unload a loaded copy, or all copies of the model with that key, and return their names."""
        rows = [row for row in self.ps(call=call) if identifier in (row.get("identifier"), row.get("modelKey"))]
        names = tuple(str(row.get("identifier")) for row in rows)
        for name in names:
            self._run("unload", _operand(name), timeout=self._load_timeout, call=call)
        return names

    def download(self, name: str, *, call: BackendCall | None = None) -> Generator[Download, None, None]:
        """Download a model (``publisher/name`` or a Hugging Face address, both with an optional ``@quantization``).

        Yields one state after the other until the download is complete. Cancelling the call ends the tool, though LM
        Studio may continue. Raises BackendRequestError if no model has exactly that name.
        """
        call = call or BackendCall()
        state, yielded_at, lines = Download(status="downloading"), time.monotonic(), deque[str](maxlen=_TAIL_LINES)
        yield state
        with self._start("get", "--yes", _operand(name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            for line in _read_lines(process, call):
                if picks_another(line):
                    text = f'LM Studio has no model of exactly that name on offer: "{name}"'
                    raise BackendRequestError(text, status=404)
                if (progress := progress_of(line)) is None:
                    lines.append(line)
                    continue
                state = progress
                if time.monotonic() - yielded_at >= POLL_SECONDS:  # the tool prints its progress many times a second
                    yielded_at = time.monotonic()
                    yield state
            _check("get", _wait(process, call), "\n".join(lines))
        yield Download(status="completed", done_bytes=state.total_bytes, total_bytes=state.total_bytes)

    def start_server(self, port: int, *, bind: str = "", call: BackendCall | None = None) -> None:
        """Start LM Studio without a window unless it runs, and its HTTP server on that port.

        ``bind`` is the address to listen on; otherwise it is LMS_SERVER_HOST or 127.0.0.1.
        """
        try:
            self._run("daemon", "up", timeout=START_SECONDS, call=call)
        except BackendRequestError as exc:
            if "unknown command" not in exc.text:  # the tool before LM Studio 0.4, whose "server start" opens the app
                raise
        address = ("--bind", _operand(bind)) if bind else ()
        self._run("server", "start", "--port", str(port), *address, timeout=START_SECONDS, call=call)

    def _rows(self, command: str, call: BackendCall | None) -> list[Row]:
        output = self._run(command, "--json", timeout=LIST_SECONDS, call=call)
        try:
            rows = orjson.loads(output[max(0, output.find("[")) :])
        except orjson.JSONDecodeError as exc:
            raise BackendProtocolError(f"lms {command} printed no JSON") from exc
        if not isinstance(rows, list):
            raise BackendProtocolError(f"lms {command} printed no list")
        return [row for row in rows if isinstance(row, dict)]

    def _run(self, *arguments: str, timeout: float | None, call: BackendCall | None = None) -> str:
        """Run to the end and return the standard output."""
        call = call or BackendCall()
        ends_at = None if timeout is None else time.monotonic() + timeout
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            # Files, since pipes fill up unless they are read, also by processes that the tool starts.
            with self._start(*arguments, stdout=output, stderr=errors) as process:
                code = _wait(process, call, ends_at, f"lms {arguments[0]} took longer than {timeout} s")
            printed = _read_all(output)
            _check(arguments[0], code, _read_all(errors) or printed)
            return printed

    @contextmanager
    def _start(self, *arguments: str, stdout: Output, stderr: Output) -> Iterator[subprocess.Popen[bytes]]:
        """Start the tool, and end it with the block."""
        try:
            process = subprocess.Popen(  # noqa: S603  a list, no shell, and no operand looks like an option
                [str(self.program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                creationflags=NO_WINDOW,
            )
        except OSError as exc:
            raise NotSupported(f"the lms tool at {self.program} cannot be started: {exc.strerror}") from exc
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _operand(text: str) -> str:
    """Return the text; raise InvalidModelName if the tool would read it as an option."""
    if text.startswith("-") or not text.isprintable() or not text:
        raise InvalidModelName(f"the lms tool cannot be given that as a name: {text[:80]!r}")
    return text


def _check(command: str, code: int, output: str) -> None:
    if code:
        raise error_from_text(error_text(output) or f"lms {command} ended with code {code}")


def _wait(
    process: subprocess.Popen[bytes], call: BackendCall, ends_at: float | None = None, timeout_message: str = ""
) -> int:
    """Wait for the end and return the exit code."""
    while True:
        call.check()
        if ends_at is not None and time.monotonic() > ends_at:
            raise BackendTimeout(timeout_message)
        with suppress(subprocess.TimeoutExpired):  # check the call and wait again
            return process.wait(LOOK_SECONDS)


def _read_all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_OUTPUT_BYTES).decode("utf-8", "replace")


def _read_lines(process: subprocess.Popen[bytes], call: BackendCall) -> Iterator[str]:
    """Yield the lines as they are printed, from a thread, since reading a pipe has no timeout on Windows."""
    blocks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(process.stdout, blocks), name="shim-lms", daemon=True).start()
    lines = Lines()
    block = b"."
    while block:
        call.check()
        try:
            block = blocks.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        yield from lines.feed(block, is_last=not block)


def _pump(output: io.BufferedReader, blocks: queue.SimpleQueue[bytes]) -> None:
    with output:
        while block := output.read1(_BLOCK_BYTES):
            blocks.put(block)
    blocks.put(b"")

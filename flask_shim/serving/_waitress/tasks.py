"""waitress' tasks: responses that keep their connection open, and errors in the format of the route."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from waitress.channel import ClientDisconnected
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import InternalServerError, RequestEntityTooLarge, build_http_date

log = logging.getLogger(__name__)


_capitalized = lru_cache(maxsize=256)(lambda name: "-".join(part.capitalize() for part in name.split("-")))
_date = lru_cache(maxsize=1)(build_http_date)


class ResponseTask(WSGITask):  # type: ignore[misc]  # waitress has no types
    """The response of the application.

    waitress' own checks each header for itself, and closes the connection after each response without a length.
    """

    has_body: bool
    wrote_header: bool
    chunked_response: bool
    content_length: int | None
    content_bytes_written: int

    def service(self) -> None:
        """Run the application. A disconnect is in the access log; waitress would log it a second time, without id."""
        try:
            super().service()
        except ClientDisconnected:
            self.close_on_finish = True

    def execute(self) -> None:
        """Run the application and send its blocks."""
        body = self.channel.server.application(self.get_environment(), self.start_response)
        try:
            blocks = iter(body)
            if block := next(blocks, b""):
                self.write(block)
            self._join_group(blocks)
            for block in blocks:
                if block:
                    self.write(block)
        finally:
            if callable(close := getattr(body, "close", None)):
                close()
        if self.sends_body and self.content_bytes_written < (self.content_length or 0):
            self.close_on_finish = True  # otherwise the client would wait for the rest

    def _join_group(self, blocks: Iterator[bytes]) -> None:
        """Send the other blocks together with those of other streams, if the server and the body can do that."""
        group, polled = self.channel.server.stream_group, getattr(blocks, "polled", None)
        if group is not None and polled is not None:
            group.run(blocks, polled, self.write)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
        """Keep the head; return :meth:`write`, which sends it."""
        if exc_info and self.wrote_header:
            raise exc_info[1]
        self.complete = True
        self.status, self.response_headers = status, headers
        for name, value in headers:
            if name.lower() == "content-length":
                self.content_length = int(value)
        return self.write

    @property
    def sends_body(self) -> bool:
        """Whether the response may have a body."""
        return self.has_body and self.request.command != "HEAD"

    def write(self, data: bytes) -> None:
        """Send a block of the body, the first one together with the head."""
        if self.wrote_header and self.chunked_response and data:
            self.channel.write_soon(b"%x\r\n%b\r\n" % (len(data), data))
            return
        head = b"" if self.wrote_header else self.build_response_header()
        self.wrote_header = True
        if not self.sends_body:
            data = b""
        elif self.content_length is not None:
            data = data[: self.content_length - self.content_bytes_written]
            self.content_bytes_written += len(data)
        elif self.chunked_response and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.channel.write_soon(head + data)

    def build_response_header(self) -> bytes:
        """Return the head. The connection stays open if the end of the response is clear without its end.

        While the server stops, every response closes its connection: a proxy that sends its next request on a kept
        connection just as it is closed cannot know whether the request ran, and fails it (RFC 9112 section 9.6).
        """
        connection = self.request.headers.get("CONNECTION", "").lower()  # a list, such as libwww-perl's "TE, close"
        is_http11 = self.version == "1.1"
        self.chunked_response = is_http11 and self.content_length is None and self.sends_body
        lines = [f"HTTP/{self.version} {self.status}"]
        lines += [f"{_capitalized(name)}: {value}" for name, value in self.response_headers]
        if self.chunked_response:
            lines.append("Transfer-Encoding: chunked")
        is_delimited = self.chunked_response or self.content_length is not None or not self.has_body
        is_kept = "close" not in connection if is_http11 else "keep-alive" in connection
        if self.close_on_finish or self.channel.is_draining or not is_delimited or not is_kept:
            self.close_on_finish = True
            lines.append("Connection: close")
        elif not is_http11:
            lines.append("Connection: Keep-Alive")
        lines.append(f"Date: {_date(int(self.start_time))}")
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines) - 1:
            raise ValueError("a header contains a line end")
        return head.encode("latin-1") + b"\r\n\r\n"


class TooLargeTask(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Let the application reject a body that was not read to its end, in the error format of the route."""

    def get_environment(self) -> dict[str, Any]:
        """Return the environment; the bytes received so far are the length of a chunked body."""
        self.request.headers.setdefault("CONTENT_LENGTH", str(self.request.body_bytes_received))
        environ: dict[str, Any] = super().get_environment()
        return environ

    def execute(self) -> None:
        """Run the application and close the connection."""
        self.set_close_on_finish()
        super().execute()


class MalformedTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Reject malformed HTTP as plain text, with one line in the log."""

    def execute(self) -> None:
        """Send waitress' own response."""
        error = self.request.error
        log.info("malformed request status=%d client=%s: %s", error.code, self.channel.addr[0], error.body)
        super().execute()


def build_error_task(channel: Any, request: Any) -> WSGITask | ErrorTask:
    """Return the task for a request that waitress could not read, or whose application failed."""
    if isinstance(request.error, InternalServerError):
        return ErrorTask(channel, request)
    channel.lingers = True
    task_class = TooLargeTask if isinstance(request.error, RequestEntityTooLarge) else MalformedTask
    return task_class(channel, request)

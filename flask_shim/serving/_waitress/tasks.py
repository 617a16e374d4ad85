"""waitress' tasks: responses that keep their connection open, and errors in the format of the route."""

from __future__ import annotations

import logging
from typing import Any

from waitress.channel import ClientDisconnected
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import InternalServerError, RequestEntityTooLarge

log = logging.getLogger(__name__)


class ResponseTask(WSGITask):  # type: ignore[misc]  # waitress has no types
    """A response that keeps the connection open when its length is unknown."""

    def service(self) -> None:
        """Run the application. A disconnect is in the access log; waitress would log it a second time, without id."""
        try:
            super().service()
        except ClientDisconnected:
            self.close_on_finish = True

    def write(self, data: bytes) -> None:
        """Send a block of the body, the first one together with the head."""
        if self.wrote_header and self.chunked_response and data:
            self.channel.write_soon(b"%x\r\n%b\r\n" % (len(data), data))  # as waitress does, with fewer checks
            return
        with self.channel.sending_together():
            super().write(data)

    def build_response_header(self) -> bytes:
        """Return the head; undo waitress' ``Connection: close`` for chunked and empty HTTP/1.1 responses.

        While the server stops, every response closes its connection: a proxy that sends its next request on a kept
        connection just as it is closed cannot know whether the request ran, and fails it (RFC 9112 section 9.6).
        """
        if self.channel.is_draining:
            self.request.headers["CONNECTION"] = "close"  # as if the client had asked for it
        was_closing = self.close_on_finish
        head: bytes = super().build_response_header()
        wants_close = self.request.headers.get("CONNECTION", "").lower() == "close"
        is_delimited = self.request.command != "HEAD" and (self.chunked_response or not self.has_body)
        if was_closing or wants_close or not is_delimited or self.version != "1.1":
            return head
        self.close_on_finish = False
        return head.replace(b"\r\nConnection: close\r\n", b"\r\n", 1)


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

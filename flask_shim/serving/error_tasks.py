"""Requests that waitress gives up reading, answered like any others: in the words of their route, with a record."""

from __future__ import annotations

import logging
from typing import Any

from waitress.task import ErrorTask, WSGITask
from waitress.utilities import InternalServerError, RequestEntityTooLarge

log = logging.getLogger(__name__)


class TooLarge(WSGITask):  # type: ignore[misc]  # waitress has no types
    """A request whose body is not read any further. The app refuses it by its announced length, or what came of it."""

    def get_environment(self) -> dict[str, Any]:
        """Return the environment, with the length of the body if it came in chunks."""
        self.request.headers.setdefault("CONTENT_LENGTH", str(self.request.body_bytes_received))
        environ: dict[str, Any] = super().get_environment()
        return environ

    def execute(self) -> None:
        """Have the app refuse the request, and close the connection: the rest of the body may still come."""
        self.set_close_on_finish()
        super().execute()


class Unreadable(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """A request that makes no sense as HTTP: refused as plain text, and told in one line of the log."""

    def execute(self) -> None:
        """Send what waitress says of it."""
        error = self.request.error
        log.info("unreadable request status=%d client=%s: %s", error.code, self.channel.addr[0], error.body)
        super().execute()


def build_error_task(channel: Any, request: Any) -> TooLarge | ErrorTask:
    """Return the task that answers a request with an error; of an exception waitress has told already."""
    if isinstance(request.error, InternalServerError):
        return ErrorTask(channel, request)
    kind = TooLarge if isinstance(request.error, RequestEntityTooLarge) else Unreadable
    return kind(channel, request)

"""Answers that leave while they are made: one owner for what they hold, one error line if they break."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from flask import Response

from flask_shim.errors import ClientDisconnected, ShimError
from flask_shim.observability.request_context import current

log = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"

UNBUFFERED = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
"""Tells nginx (and whoever imitates it) to pass every write on at once."""

ToError = Callable[[str], bytes]
"""How a stream of that kind says that it broke."""


def disconnect_check(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return the function that tells whether the client of this request has hung up.

    waitress knows (with a request look-ahead); under other servers we only learn of it when a write fails.
    """
    check = environ.get("waitress.client_disconnected")
    return check if callable(check) else _nobody_knows


def _nobody_knows() -> bool:
    return False


class StreamBody:
    """The body of a streamed response, and what must be released when it is over, however it ends.

    The WSGI server calls :meth:`close` also when nothing was ever read; a generator's ``finally`` would not run then.
    """

    __slots__ = ("_blocks", "_owned")

    def __init__(self, blocks: Iterator[bytes], stack: ExitStack) -> None:
        """Take over ``owned``."""
        self._blocks = blocks
        self._owned = stack

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the blocks."""
        return self

    def __next__(self) -> bytes:
        """Return the next block."""
        return next(self._blocks)

    def close(self) -> None:
        """Release everything; safe to call twice."""
        self._owned.close()


def stream_response(
    blocks: Iterable[bytes],
    stack: ExitStack,
    *,
    mimetype: str,
    to_error: ToError,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with the blocks as they come; owns ``owned`` from this call on, also if it raises.

    The first block is made before the status is sent, so that a failure up to there is an HTTP status; a later one
    becomes one last block made by ``to_error``.
    """
    with ExitStack() as cleanup:
        cleanup.push(stack)
        rest = iter(blocks)
        first = next(rest, b"")
        body = StreamBody(_guarded(first, rest, to_error), stack.pop_all())
        cleanup.callback(body.close)
        # Of a mimetype Flask makes a type with a charset, which neither Ollama's nor LM Studio's streams have.
        response = Response(body, content_type=mimetype, headers=dict(headers or {}), direct_passthrough=True)
        response.headers.extend(UNBUFFERED)
        current().streams()
        cleanup.pop_all()
    return response


def _guarded(first: bytes, rest: Iterator[bytes], to_error: ToError) -> Iterator[bytes]:
    try:
        if first:
            yield first
        yield from rest
        current().completed()
    except ClientDisconnected as exc:
        current().failed(exc)  # nobody else is left to tell
    except ShimError as exc:
        current().failed(exc)
        yield to_error(exc.text)
    except Exception as exc:
        current().failed(exc)
        log.exception("stream broke")
        yield to_error("internal error")

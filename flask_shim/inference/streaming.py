"""Send streamed responses; close what they hold, and end a failed one with one error line or event."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from flask import Response

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import ClientDisconnected
from flask_shim.observability.request_context import current

log = logging.getLogger(__name__)

UNBUFFERED = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
"""Headers that keep nginx and similar proxies from buffering."""

ToError = Callable[[ShimError], bytes]
"""Returns the line or event that ends a failed stream."""


def disconnect_check(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return a function that returns whether the client of this request has disconnected.

    waitress knows (with ``channel_request_lookahead``); under other servers only a failing write shows it.
    """
    check = environ.get("waitress.client_disconnected")
    return check if callable(check) else lambda: False


class StreamBody:
    """The body of a streamed response, and the stack that is closed when it ends in any way.

    The WSGI server calls :meth:`close` even if nothing was read; a generator's ``finally`` would not run then.
    """

    __slots__ = ("_blocks", "_stack")

    def __init__(self, blocks: Iterator[bytes], stack: ExitStack) -> None:
        self._blocks = blocks
        self._stack = stack

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._blocks)

    def close(self) -> None:
        """Close the stack; safe to call twice."""
        self._stack.close()


def stream_response(
    blocks: Iterable[bytes],
    stack: ExitStack,
    *,
    mimetype: str,
    to_error: ToError,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send the blocks as they come. The response owns ``stack``; it is closed here if this raises.

    The first block is made before the status is sent, so that a failure up to then is an HTTP status. A later failure
    is sent as the last block, made by ``to_error``.
    """
    with ExitStack() as cleanup:
        cleanup.push(stack)
        rest = iter(blocks)
        first = next(rest, b"")
        body = StreamBody(_guard(first, rest, to_error), stack.pop_all())
        cleanup.callback(body.close)
        # Flask would add a charset to a mimetype; the streams of Ollama and LM Studio have none.
        response = Response(body, content_type=mimetype, headers=dict(headers or {}), direct_passthrough=True)
        response.headers.extend(UNBUFFERED)
        current().streams()
        cleanup.pop_all()
    return response


def _guard(first: bytes, rest: Iterator[bytes], to_error: ToError) -> Iterator[bytes]:
    """Yield the blocks, and the error if there is one and the client is still connected."""
    try:
        if first:
            yield first
        yield from rest
        current().completed()
    except ClientDisconnected as exc:
        current().failed(exc)
    except ShimError as exc:
        current().failed(exc)
        yield to_error(exc)
    except Exception as exc:
        current().failed(exc)
        log.exception("stream failed")
        yield to_error(ShimError("internal error"))

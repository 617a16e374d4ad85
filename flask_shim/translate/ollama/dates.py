"""Dates of lists as Go prints them: RFC 3339 with up to nine digits of a second, without trailing zeros."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_local(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 in this machine's zone, as in ``modified_at`` and ``expires_at``."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    local = (_EPOCH + timedelta(seconds=seconds)).astimezone(_zone())
    fraction = f"{rest:09d}".rstrip("0")
    zone = local.strftime("%z")
    suffix = "Z" if zone in ("+0000", "") else f"{zone[:3]}:{zone[3:5]}"
    return f"{local:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}{suffix}"


def _zone() -> timezone:
    # The present offset also for moments centuries ahead: Windows cannot convert those.
    return timezone(datetime.now().astimezone().utcoffset() or timedelta())

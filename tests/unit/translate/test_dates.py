"""Dates are written as Go writes them."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.ollama import listing
from flask_shim.translate.ollama.listing import to_local
from flask_shim.translate.ollama.records import to_utc

MOMENT = 1_795_168_210
"""2026-11-20T09:50:10Z"""
FOREVER_NS = 2**63 - 1


@pytest.fixture
def zone(monkeypatch):
    """Return a function that moves this machine to another zone."""

    def move(**offset):
        monkeypatch.setattr(listing, "_zone", lambda: timezone(timedelta(**offset)))

    return move


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "2026-11-20T09:50:10.0Z"),
        (159857960, "2026-11-20T09:50:10.15985796Z"),
        (1, "2026-11-20T09:50:10.000000001Z"),
        (500_000_000, "2026-11-20T09:50:10.5Z"),
        (999_999_999, "2026-11-20T09:50:10.999999999Z"),
    ],
)
def test_utc_has_up_to_nine_digits_and_a_z(fraction, text):
    assert to_utc(MOMENT * 10**9 + fraction) == text


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        ({}, "2026-11-20T09:50:10.734183973Z"),
        ({"hours": -5}, "2026-11-20T04:50:10.734183973-05:00"),
        ({"hours": 5, "minutes": 30}, "2026-11-20T15:20:10.734183973+05:30"),
        ({"hours": 14}, "2026-11-20T23:50:10.734183973+14:00"),
        ({"hours": 15}, "2026-11-21T00:50:10.734183973+15:00"),
        ({"hours": -3, "minutes": -30}, "2026-11-20T06:20:10.734183973-03:30"),
    ],
)
def test_local_dates_tell_their_zone(zone, offset, text):
    zone(**offset)
    assert to_local(MOMENT * 10**9 + 734183973) == text


def test_a_whole_second_has_no_fraction_in_local_dates(zone):
    zone(hours=1)
    assert to_local(MOMENT * 10**9) == "2026-11-20T10:50:10+01:00"


@pytest.mark.parametrize("offset", [{}, {"hours": 14}, {"hours": -12}])
def test_292_years_ahead_can_be_written(zone, offset):
    zone(**offset)
    assert to_local(MOMENT * 10**9 + FOREVER_NS).startswith("2319-03-0")


def test_this_machines_zone_is_the_one_of_now():
    assert listing._zone().utcoffset(None) == datetime.now().astimezone().utcoffset()


GO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?(Z|[+-]\d\d:\d\d)")


@given(st.integers(0, 2 * FOREVER_NS), st.integers(-14 * 60, 14 * 60))
def test_any_moment_of_six_centuries_is_parsed_back(nanoseconds, minutes):
    zone = listing._zone
    listing._zone = lambda: timezone(timedelta(minutes=minutes))
    try:
        text = to_local(nanoseconds)
    finally:
        listing._zone = zone
    assert GO.fullmatch(text)
    moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    assert moment - datetime.fromtimestamp(0, timezone.utc) == timedelta(seconds=nanoseconds // 10**9)


@given(st.integers(0, 2**62))
def test_utc_is_the_same_moment(nanoseconds):
    text = to_utc(nanoseconds)
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    assert seconds == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
    assert int(fraction.ljust(9, "0")) == nanoseconds % 10**9

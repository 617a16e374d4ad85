"""The soak test itself, at a small scale: the large one is run by hand, and at night."""

from __future__ import annotations

from benchmarks.soak import PARTS, Measured, growth, soak
from support.resources import Resources


def test_streams_that_are_cut_at_random_leave_nothing():
    measured, outcomes = soak(60, at_once=16, seed=2, warm_up=0)
    assert len(measured) == PARTS + 1
    assert sum(outcomes.values()) == 60
    assert outcomes.keys() >= {"client left", "error", "status 200"}
    assert all(one.resources.fits(measured[0].resources) for one in measured)


def test_growth_is_reported_per_thousand_streams():
    nothing = Resources(0, 0, 0, 0, 0)
    assert growth([Measured(0, nothing, 1_000_000), Measured(500, nothing, 1_500_000)]) == 1_000_000

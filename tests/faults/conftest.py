"""Real shims in processes of their own, a scripted LM Studio, and a check of what is left over."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import CHAT
from support.fake_lmstudio_fixtures import one_studio, studio
from support.gauges import settled
from support.watched import IMPATIENT, PATIENT, TRUSTING, Watched, check_log, idle, started

__all__ = ["one_studio", "studio"]


def _running(settings):
    @pytest.fixture(scope="package")
    def running(one_studio):
        one_studio.calm()
        with started(one_studio, settings) as shim:
            yield shim, idle(shim)
        check_log(shim.log)

    return running


def _watched(name):
    @pytest.fixture
    def watched(request, studio):
        shim, baseline = request.getfixturevalue(name)
        studio.calm()
        one = Watched(shim, baseline)
        yield one
        studio.calm()
        left = settled(shim, baseline)
        assert left.fits(baseline), f"{left} is left, {baseline} was there"
        assert "Traceback" not in one.log

    return watched


patient_process = _running(PATIENT)
impatient_process = _running(IMPATIENT)
trusting_process = _running(TRUSTING)

patient = _watched("patient_process")
"""A shim with long timeouts, few slots, and three threads besides them."""

impatient = _watched("impatient_process")
"""A shim with timeouts of less than a second and small limits."""

trusting = _watched("trusting_process")
"""A shim that believes a model list for as long as one does by default."""


@pytest.fixture
def open_chats(studio):
    """Return a function that counts the chats that are open at LM Studio."""
    return lambda: len(studio.open_at(CHAT))

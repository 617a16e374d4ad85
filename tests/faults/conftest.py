"""Real shims in processes of their own, a scripted LM Studio, and a check of what is left over."""

from __future__ import annotations

import pytest
from support.checked_shim import IMPATIENT, PATIENT, TRUSTING, CheckedShim, check_log, idle_resources, start_shim
from support.fake_lmstudio import CHAT
from support.fake_lmstudio_fixtures import one_studio, studio
from support.resources import wait_until_released

__all__ = ["one_studio", "studio"]


def _running(settings):
    @pytest.fixture(scope="package")
    def running(one_studio):
        one_studio.calm()
        with start_shim(one_studio, settings) as shim:
            yield shim, idle_resources(shim)
        check_log(shim.log)

    return running


def _checked(name):
    @pytest.fixture
    def checked(request, studio):
        shim, baseline = request.getfixturevalue(name)
        studio.calm()
        one = CheckedShim(shim, baseline)
        yield one
        studio.calm()
        left = wait_until_released(shim, baseline)
        assert left.fits(baseline), f"{left} is left, {baseline} was there"
        assert "Traceback" not in one.log

    return checked


patient_process = _running(PATIENT)
impatient_process = _running(IMPATIENT)
trusting_process = _running(TRUSTING)

patient = _checked("patient_process")
"""A shim with long timeouts, few slots, and three more threads."""

impatient = _checked("impatient_process")
"""A shim with timeouts of less than a second and small limits."""

trusting = _checked("trusting_process")
"""A shim that believes a model list for as long as one does by default."""


@pytest.fixture
def open_chats(studio):
    """Return a function that counts the chats that are open at LM Studio."""
    return lambda: len(studio.open_at(CHAT))

"""One shim and its LM Studio for everything that stands in front of it."""

from __future__ import annotations

import pytest
from support.fronts import HOST, PROGRAMS, Front
from support.processes import ShimProcess
from support.studio import Studio


@pytest.fixture(scope="package")
def one_studio():
    with Studio() as studio:
        yield studio


@pytest.fixture
def studio(one_studio):
    one_studio.calm()
    yield one_studio
    one_studio.calm()


@pytest.fixture(scope="package")
def shim(one_studio):
    with ShimProcess(one_studio.url, SHIM_ALLOWED_HOSTS=HOST, SHIM_MAX_REQUEST_BYTES="4000000") as shim:
        yield shim


@pytest.fixture(scope="package", params=PROGRAMS)
def front(request, shim):
    """Give every front proxy in turn, before one shim."""
    with Front(request.param, [shim.port]) as front:
        yield front

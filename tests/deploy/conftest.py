"""One shim and its LM Studio for everything that stands in front of it."""

from __future__ import annotations

import pytest
from support.fake_lmstudio_fixtures import one_studio, studio
from support.front_proxies import HOST, PROGRAMS, FrontProxy
from support.processes import ShimProcess

__all__ = ["one_studio", "studio"]


@pytest.fixture(scope="package")
def shim(one_studio):
    with ShimProcess(one_studio.url, SHIM_ALLOWED_HOSTS=HOST, SHIM_MAX_REQUEST_BYTES="4000000") as shim:
        yield shim


@pytest.fixture(scope="package", params=PROGRAMS)
def front(request, shim):
    """Give every front proxy in turn, before one shim."""
    with FrontProxy(request.param, [shim.port]) as front:
        yield front

"""A shim before an LM Studio of each API version, for a whole folder."""

from __future__ import annotations

import pytest
from support.apps import several_apps
from support.fake_lmstudio import FakeLMStudio, v0_model, v1_model

from flask_shim.lmstudio.api_versions import ApiVersion

ROWS = {
    ApiVersion.V1: [
        v1_model(
            "tiny",
            context_length=4096,
            capabilities={"vision": True, "trained_for_tool_use": True},
        )
    ],
    ApiVersion.V0: [v0_model("tiny", "vlm", context_length=4096)],
    ApiVersion.OPENAI: [v0_model("tiny")],
}


@pytest.fixture(scope="package", params=ROWS, ids=lambda version: version.name.lower())
def pair(request, tmp_path_factory):
    """Give an LM Studio of an API version and a client of a shim before it."""
    with (
        FakeLMStudio(version=request.param, rows=ROWS[request.param]) as studio,
        several_apps(data_dir=tmp_path_factory.mktemp("data")) as app_of,
    ):
        yield studio, app_of(backend_url=studio.url).test_client()


@pytest.fixture
def studio(pair):
    """Give the LM Studio, without requests of earlier tests."""
    studio, _ = pair
    studio.calm(studio.version)
    return studio


@pytest.fixture
def client(pair, studio):
    """Give a client of the shim."""
    return pair[1]

"""The lists of several LM Studios become one."""

from __future__ import annotations

from typing import Any, cast

import pytest

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.model import Instance, Model, Support
from flask_shim.models.backends import Backend, merge

NAMES_ONLY = Model(key="m")
WHOLE = Model(
    key="m", size_bytes=5, architecture="qwen3", tools=Support.YES, vision=Support.NO, max_context_length=8192
)
LOADED = Model(key="m", vision=Support.NO, instances=(Instance("m", 4096),))


def merged(*models):
    return merge(tuple((backend(-place), Listing(ApiVersion.V1, (model,), 0.0)) for place, model in enumerate(models)))


def backend(priority):
    return Backend(client=cast(Any, None), loader=cast(Any, None), priority=priority)


@pytest.mark.parametrize("first", [NAMES_ONLY, LOADED])
def test_abilities_are_known_if_one_machine_reports_them(first):
    listing = merged(first, WHOLE)
    for model in (*listing.models, *(own.models[0] for _, own in listing.lists)):
        assert (model.architecture, model.tools, model.vision) == ("qwen3", Support.YES, Support.NO)
        assert model.max_context_length == 8192


def test_files_and_copies_stay_those_of_their_machine():
    listing = merged(LOADED, WHOLE)
    assert [own.models[0].size_bytes for _, own in listing.lists] == [None, 5]
    assert [own.models[0].is_loaded for _, own in listing.lists] == [True, False]
    assert listing.models[0].is_loaded


def test_what_a_machine_reports_itself_is_kept():
    seeing = Model(key="m", vision=Support.YES)
    listing = merged(WHOLE, seeing, Model(key="other"))
    assert [own.models[0].vision for _, own in listing.lists] == [Support.NO, Support.YES, Support.UNKNOWN]

"""Which api_version a backend is of is seen by what is in its lists."""

from __future__ import annotations

import pytest
import requests
import responses
from support.model_lists import UNEXPECTED, URL
from support.recorded import V1, recorded

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    ServerBusy,
)


@pytest.mark.parametrize("api_version", ApiVersion)
def test_the_generation_is_found_by_what_is_in_the_lists(backend, models, api_version):
    backend.set_version(api_version)
    assert models.listing().api_version is api_version
    assert len(models.listing().models) == len(recorded(api_version).get("models") or recorded(api_version)["data"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (UNEXPECTED, 200),
        (UNEXPECTED, 404),
        ({"error": {"message": "Not Found"}}, 404),
        (b"<html>Not Found</html>", 404),
        (b"Method Not Allowed", 405),
        (b"<html>Welcome</html>", 200),
        (b"", 200),
        ({"detail": "Not Found"}, 404),
        ({"models": None}, 200),
        ([], 200),
    ],
)
def test_a_list_that_is_none_leads_to_an_older_generation(backend, models, body, status):
    backend.set_version(ApiVersion.OPENAI)
    backend.set_list(body, ApiVersion.V1, status)
    backend.set_list(body, ApiVersion.V0, status)
    assert models.listing().api_version is ApiVersion.OPENAI


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"error": {"message": "Invalid token"}}, 401, BackendError),
        ({"error": {"message": "Invalid token"}}, 403, BackendError),
        (b"", 500, BackendError),
        (b"", 503, ServerBusy),
        (requests.ConnectTimeout(), 200, BackendUnavailable),
        (requests.ReadTimeout(), 200, BackendTimeout),
    ],
)
def test_a_failure_is_no_sign_of_an_older_generation(backend, models, body, status, kind):
    backend.set_version(ApiVersion.OPENAI)
    backend.set_list(body, ApiVersion.V1, status)
    with pytest.raises(kind):
        models.listing()
    assert set(backend.paths) == {ApiVersion.V1.value}


@pytest.mark.parametrize("body", [UNEXPECTED, b"<html>hello</html>", {"data": None}, {}, b"not JSON"])
def test_what_has_no_list_at_all_is_not_lm_studio(backend, models, body):
    for api_version in ApiVersion:
        backend.set_list(body, api_version)
    with pytest.raises(BackendProtocolError):
        models.listing()


def test_a_list_that_breaks_once_is_requested_again(backend, models):
    backend.set_version(ApiVersion.V1)
    backend.mock.replace(responses.GET, URL + ApiVersion.V1.value, body=requests.ConnectionError())
    backend.mock.add(responses.GET, URL + ApiVersion.V1.value, json=V1)
    assert models.listing().api_version is ApiVersion.V1
    assert backend.paths == [ApiVersion.V1.value] * 2

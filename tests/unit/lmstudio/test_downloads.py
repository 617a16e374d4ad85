"""Downloads over HTTP: started, joined, followed to their end."""

import threading
import time

import pytest
from support.fake_lmstudio import Status

from flask_shim.lmstudio import BackendCall, downloads
from flask_shim.lmstudio.downloads import Download, read_download
from flask_shim.lmstudio.errors import BackendError, BackendProtocolError, BackendRequestError, ClientDisconnected

START = "POST /api/v1/models/download"
STATUS = "GET /api/v1/models/download/status/job_1"


def state(status, done=None, **more):
    result = {"job_id": "job_1", "status": status, "total_size_bytes": 100, **more}
    return result if done is None else {**result, "downloaded_bytes": done}


@pytest.fixture
def studio(monkeypatch, start_studio):
    """Return a function that gives a backend with answers, one after the other, and a client; nothing waits."""
    monkeypatch.setattr(downloads, "POLL_SECONDS", 0.0)

    def of(*answers):
        left = iter(answers)
        return start_studio({"m": None}, lambda _: next(left))

    return of


def test_download_is_followed_until_it_is_complete(studio):
    server, client = studio(state("downloading"), state("downloading", 50), state("completed", 100))
    assert list(client.download("maker/new")) == [
        Download(status="downloading", job_id="job_1", total_bytes=100),
        Download(status="downloading", job_id="job_1", total_bytes=100, done_bytes=50),
        Download(status="completed", job_id="job_1", total_bytes=100, done_bytes=100),
    ]
    assert server.paths() == [START, STATUS, STATUS]
    assert next(asked.json for asked in server.asked if asked.method == "POST") == {"model": "maker/new"}


def test_download_names_the_quantization_only_when_there_is_one(studio):
    server, client = studio({"status": "already_downloaded"})
    list(client.download("https://huggingface.co/a/b", "Q4_K_M"))
    assert server.asked[-1].json == {"model": "https://huggingface.co/a/b", "quantization": "Q4_K_M"}


def test_download_of_what_is_there_is_complete_at_once(studio):
    _, client = studio({"status": "already_downloaded"})
    [moment] = client.download("maker/new")
    assert moment == Download(status="already_downloaded")
    assert moment.is_complete


@pytest.mark.parametrize("status", ["paused", "some new word"])
def test_download_that_pauses_is_waited_for(studio, status):
    _, client = studio(state("downloading"), state(status, 10), state("completed", 100))
    assert [moment.status for moment in client.download("m")] == ["downloading", status, "completed"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"error_message": "disk full"}, "disk full"),
        ({"error": {"message": "no network"}}, "no network"),
        ({}, "the download failed"),
    ],
)
def test_failed_download_reports_the_reason(studio, more, text):
    _, client = studio(state("downloading"), state("failed", **more))
    with pytest.raises(BackendError) as failed:
        list(client.download("m"))
    assert failed.value.text == text


def test_a_failed_download_start_is_rejected_with_lm_studios_text(studio):
    refusal = {"error": {"message": 'Model "nope" not found.', "type": "model_not_found", "code": "model_not_found"}}
    _, client = studio(Status(404, refusal))
    with pytest.raises(BackendRequestError, match='Model "nope" not found'):
        list(client.download("nope"))


def test_second_watcher_joins_the_download_that_runs(studio):
    server, client = studio(
        state("downloading"), state("downloading", 30), state("downloading", 60), state("completed", 100)
    )
    first = client.download("m")
    assert next(first).done_bytes is None
    first.close()
    assert [moment.done_bytes for moment in client.download("m")] == [30, 60, 100]
    assert server.paths() == [START, STATUS, STATUS, STATUS]


@pytest.mark.parametrize(
    "forgotten", [Status(404, {"error": {"message": "Job not found.", "code": "job_not_found"}}), state("failed")]
)
def test_download_that_no_longer_runs_is_restarted(studio, forgotten):
    server, client = studio(state("downloading"), forgotten, {"status": "already_downloaded"})
    with_first = client.download("m")
    next(with_first)
    with_first.close()
    assert [moment.status for moment in client.download("m")] == ["already_downloaded"]
    assert server.paths() == [START, STATUS, START]


def test_download_survives_a_moment_without_an_answer(studio):
    silences = (b"<html>", b"not JSON", Status(500, {"error": "busy"}), Status(503, {"error": "busy"}))
    _, client = studio(state("downloading"), *silences, state("completed", 100))
    moments = list(client.download("m"))
    assert [moment.status for moment in moments] == [*(["downloading"] * 5), "completed"]
    assert [bool(moment.error) for moment in moments] == [False, *([True] * 4), False]


def test_download_without_answers_is_given_up_in_the_end(studio, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENCE_SECONDS", 0.0)
    _, client = studio(state("downloading"), b"not JSON")
    with pytest.raises(BackendProtocolError):
        list(client.download("m"))


def test_download_without_progress_is_given_up_if_its_status_may_be_an_end(studio, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENCE_SECONDS", 0.0)
    _, client = studio(state("downloading"), state("paused"), state("paused"), *([state("canceled")] * 2))
    with pytest.raises(BackendError, match="makes no progress, and its status is 'canceled'"):
        list(client.download("m"))


def test_job_that_lm_studio_has_forgotten_ends_the_watching(studio):
    _, client = studio(state("downloading"), Status(404, {"error": {"message": "Job not found."}}))
    with pytest.raises(BackendRequestError, match="Job not found"):
        list(client.download("m"))


@pytest.mark.parametrize("job", [None, "", 5])
def test_download_without_a_job_cannot_be_followed(studio, job):
    _, client = studio({"status": "downloading", "job_id": job})
    with pytest.raises(BackendProtocolError, match="does not say how to ask"):
        list(client.download("m"))


def test_the_model_list_is_renewed_after_a_download(studio):
    _, client = studio({"status": "already_downloaded"})
    before = client.listing()
    list(client.download("m"))
    assert client.listing() is not before


def test_disconnect_ends_the_wait_for_a_download(studio, monkeypatch):
    monkeypatch.setattr(downloads, "POLL_SECONDS", 60.0)
    server, client = studio(state("downloading"))
    gone = threading.Event()
    moments = client.download("m", call=BackendCall(gone.is_set))
    next(moments)
    gone.set()
    before = time.monotonic()
    with pytest.raises(ClientDisconnected):
        next(moments)
    assert time.monotonic() - before < 10
    assert server.paths() == [START]


@pytest.mark.parametrize("value", [None, [], {}, {"status": 5}, "downloading"])
def test_malformed_state_is_a_protocol_error(value):
    with pytest.raises(BackendProtocolError):
        read_download(value)


def test_values_that_are_no_sizes_are_left_out():
    result = read_download({"status": "downloading", "downloaded_bytes": True, "total_size_bytes": -1, "job_id": 7})
    assert result == Download(status="downloading")

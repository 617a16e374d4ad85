"""Downloads: real bytes from a local catalogue."""

import pytest

from flask_shim.embedded.library import TINY


@pytest.fixture
def downloads(tmp_path):
    folder = tmp_path / "catalogue" / "maker"
    folder.mkdir(parents=True)
    (folder / "New-Model-F16.gguf").write_bytes((TINY / "tiny-chat.gguf").read_bytes())
    return folder.parent


def download(api, model, **more):
    return api.post("/api/v1/models/download", {"model": model, **more})


def status(api, job):
    return api.get(f"/api/v1/models/download/status/{job['job_id']}").json()


def test_download_brings_a_model_that_answers(start, until, downloads):
    api = start(downloads=downloads)
    job = download(api, "maker/new-model-f16").json()
    assert job["status"] == "downloading"
    assert job["total_size_bytes"] == 1376000
    until(lambda: status(api, job)["status"] == "completed")
    assert status(api, job)["downloaded_bytes"] == 1376000
    assert "completed_at" in status(api, job)
    assert api.chat("Hello", model="maker/new-model-f16").json()["model"] == "maker/new-model-f16"
    assert download(api, "maker/new-model-f16").json() == {"status": "already_downloaded"}


def test_download_shows_progress_and_hides_the_half_model(start, downloads):
    api = start(downloads=downloads, download_rate=1e5)
    job = download(api, "maker/new-model-f16").json()
    result = status(api, job)
    assert result["status"] == "downloading"
    assert result["downloaded_bytes"] < 1376000
    assert "maker/new-model-f16" not in str(api.get("/v1/models").json())
    assert download(api, "maker/new-model-f16").json()["job_id"] == job["job_id"]


def test_download_is_found_by_address_and_quantisation(start, downloads):
    api = start(downloads=downloads)
    assert download(api, "https://huggingface.co/maker/New-Model", quantization="F16").json()["job_id"]
    assert download(api, "https://huggingface.co/maker/New-Model", quantization="Q4_K_M").status_code == 404


def test_download_is_saved_in_the_folder_of_own_models(start, until, downloads, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    api = start(models=own, downloads=downloads)
    job = download(api, "maker/new-model-f16").json()
    until(lambda: status(api, job)["status"] == "completed")
    assert [path.name for path in own.rglob("*.*")] == ["New-Model-F16.gguf"]


def test_download_that_cannot_be_written_fails_with_a_reason(start, until, downloads, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "maker").write_text("a file where a folder should be", encoding="utf-8")
    api = start(models=own, downloads=downloads)
    job = download(api, "maker/new-model-f16").json()
    until(lambda: status(api, job)["status"] == "failed")
    assert status(api, job)["error_message"]


@pytest.mark.parametrize("has_catalogue", [True, False])
def test_download_of_an_unknown_model_is_refused(start, downloads, has_catalogue):
    api = start(downloads=downloads) if has_catalogue else start()
    response = download(api, "nope")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


def test_status_of_an_unknown_job_is_refused(start, downloads):
    response = start(downloads=downloads).get("/api/v1/models/download/status/job_nope")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "job_not_found"

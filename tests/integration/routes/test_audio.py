"""Transcriptions and speech, which LM Studio does not have."""

from __future__ import annotations

import io

import pytest

PATH = "/v1/audio/transcriptions"


def sound(content=b"RIFF"):
    return (io.BytesIO(content), "a.wav")


def test_a_body_that_is_no_form_is_refused(client):
    answer = client.post(PATH, json={"model": "tiny"})
    assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json["error"]["message"] == (
        "failed to parse multipart form: request Content-Type isn't multipart/form-data"
    )


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        ({"x": "tiny"}, 400, "model is required"),
        ({"model": "tiny"}, 400, "file is required: http: no such file"),
        ({"model": "tiny", "file": b""}, 400, "audio file is empty"),
        ({"model": "nope", "file": b"RIFF"}, 501, "does not transcribe"),
        ({"model": "tiny", "file": b"RIFF"}, 501, "does not transcribe"),
    ],
)
def test_audio_errors_have_ollamas_order_before_not_supported(form, status, text, client):
    data = {name: sound(value) if isinstance(value, bytes) else value for name, value in form.items()}
    answer = client.post(PATH, data=data, content_type="multipart/form-data")
    assert answer.status_code == status
    assert text in answer.json["error"]["message"]


def test_speech_is_refused_with_the_reason(client):
    answer = client.post("/v1/audio/speech", json={"model": "tiny", "input": "Hello", "voice": "af_heart"})
    assert answer.status_code == 501
    assert "does not turn text into speech" in answer.json["error"]["message"]

"""The service's commands for users, as they are written, against a real server with a real engine behind it.

curl is run itself; PowerShell's requests are sent with the bodies it makes of its tables.
"""

from __future__ import annotations

import base64
import io
import json
import shlex
import shutil
import subprocess

import pytest
import requests
from PIL import Image

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from support.demo import Shim

from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.embedded.library import TINY

WRITTEN = "http://127.0.0.1:8000"
REGULAR, VISION, OWN = "qwen/qwen3-4b-2507", "qwen3-vl-4b-instruct", "my-custom-model"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Start LM Studio in miniature, with tiny models under the names of the commands, and a shim in front of it."""
    folder = tmp_path_factory.mktemp("models")
    for name in (REGULAR, VISION, OWN):
        path = folder / f"{name}.gguf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((TINY / "tiny-chat.gguf").read_bytes())
    (folder / f"mmproj-{VISION}.gguf").write_bytes((TINY / "tiny-mmproj.gguf").read_bytes())
    with (
        MiniLMStudio(MiniSettings(models=folder)) as miniature,
        Shim(miniature.url, tmp_path_factory.mktemp("data"), model_cache_ttl=0) as shim,
    ):
        yield shim.url


@pytest.fixture
def curl(url):
    """Return a function that runs a command line of curl and gives what it prints."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")

    def run(command):
        command = command.replace("\\\n", " ").replace(WRITTEN, url)
        words = shlex.split(command.replace("<BASE64_ENCODED_IMAGE>", image("JPEG")))
        return subprocess.run(words, capture_output=True, check=True, timeout=30).stdout.decode()

    return run


@pytest.fixture
def powershell(url):
    """Return a function that does what Invoke-RestMethod does, and gives the value it returns."""

    def invoke(method, path, body=None):
        headers = {"User-Agent": "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4391"}
        if body is not None:
            body = body if isinstance(body, str) else json.dumps(body, indent=4).replace("\n", "\r\n")
            headers["Content-Type"] = "application/json"
        data = None if body is None else body.encode("latin-1")
        answer = requests.request(method, url + path, data=data, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    return invoke


def image(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "blue").save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


REGULAR_ONCE = """curl -X POST http://127.0.0.1:8000/chat/regular \\
  -H "Content-Type: application/json" \\
  -d '{
    "messages": [
      {"role": "system", "content": "You are a helpful assistant."},
      {"role": "user", "content": "What is 2+2?"}
    ],
    "config": {
      "temperature": 0.7,
      "maxTokens": 100
    }
  }'"""

REGULAR_STREAM = """curl -N -X POST http://127.0.0.1:8000/chat/regular/stream \\
  -H "Content-Type: application/json" \\
  -d '{
    "messages": [
      {"role": "user", "content": "Explain quantum physics in one sentence"}
    ]
  }'"""

VISION_ONCE = """curl -X POST http://127.0.0.1:8000/chat/vision \\
  -H "Content-Type: application/json" \\
  -d '{
    "messages": [
      {
        "role": "user",
        "content": "What is in this image?",
        "images": [{
          "data_base64": "<BASE64_ENCODED_IMAGE>",
          "mime_type": "image/jpeg"
        }]
      }
    ],
    "config": {
      "temperature": 0.6,
      "maxTokens": 200
    }
  }'"""

VISION_STREAM = """curl -N -X POST http://127.0.0.1:8000/chat/vision/stream \\
  -H "Content-Type: application/json" \\
  -d '{
    "messages": [
      {
        "role": "user",
        "content": "Describe this image in detail",
        "images": [{
          "data_base64": "<BASE64_ENCODED_IMAGE>",
          "mime_type": "image/jpeg"
        }]
      }
    ]
  }'"""

OWN_MODEL = """curl -X POST http://127.0.0.1:8000/chat \\
  -H "Content-Type: application/json" \\
  -d '{
    "model_key": "my-custom-model",
    "messages": [
      {"role": "user", "content": "Hello!"}
    ]
  }'"""


@pytest.mark.parametrize(
    ("command", "model"),
    [(REGULAR_ONCE, REGULAR), (VISION_ONCE, VISION), (OWN_MODEL, OWN)],
    ids=["regular", "vision", "own"],
)
def test_curl_gets_an_answer(curl, command, model):
    answer = json.loads(curl(command))
    assert list(answer) == ["model", "content", "stop_reason", "predicted_tokens"]
    assert (answer["model"], answer["stop_reason"] in ("stop", "length")) == (model, True)
    assert answer["content"]
    assert answer["predicted_tokens"] > 0


@pytest.mark.parametrize(
    ("command", "model"), [(REGULAR_STREAM, REGULAR), (VISION_STREAM, VISION)], ids=["regular", "vision"]
)
def test_curl_gets_a_stream_of_lines(curl, command, model):
    *fragments, done = map(json.loads, curl(command).splitlines())
    assert len(fragments) > 1
    assert all(list(line) == ["type", "content"] and line["type"] == "fragment" for line in fragments)
    assert list(done) == ["type", "model", "predicted_tokens", "stop_reason"]
    assert (done["type"], done["model"], done["predicted_tokens"] > 0) == ("done", model, True)


def test_powershell_loads_lists_and_unloads(powershell):
    loaded = powershell("POST", "/models/load", '{"model_key":"qwen/qwen3-4b-2507","exclusive":true}')
    assert (loaded["loaded"], loaded["model"]["key"], loaded["error"]) == (True, REGULAR, None)
    assert [model["key"] for model in powershell("GET", "/models")["models"]] == [REGULAR]
    unloaded = powershell("POST", "/models/unload", '{"model_key":"qwen/qwen3-4b-2507"}')
    assert unloaded == {"success": True, "unloaded_keys": [REGULAR], "error": None}
    powershell("POST", "/models/load", '{"model_key":"qwen/qwen3-4b-2507"}')
    assert powershell("POST", "/models/unload", '{"unload_all":true}')["unloaded_keys"] == [REGULAR]
    assert powershell("GET", "/models") == {"models": []}


def test_powershell_loads_one_model_alone(powershell):
    powershell("POST", "/models/load", {"model_key": OWN})
    powershell("POST", "/models/load", {"model_key": VISION, "exclusive": True})
    assert [model["key"] for model in powershell("GET", "/models")["models"]] == [VISION]


def test_powershell_chats(powershell):
    turns = [{"role": "system", "content": "You are helpful."}, {"role": "user", "content": "What is 2+2?"}]
    answer = powershell("POST", "/chat/regular", {"messages": turns, "config": {"temperature": 0.7, "maxTokens": 100}})
    assert (answer["model"], answer["predicted_tokens"] > 0) == (REGULAR, True)


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_powershell_shows_a_picture(powershell, kind, mime):
    pictures = [{"data_base64": image(kind), "mime_type": mime}]
    turns = [{"role": "user", "content": "Describe this image", "images": pictures}]
    answer = powershell("POST", "/chat/vision", {"messages": turns, "config": {"temperature": 0.7, "maxTokens": 256}})
    assert (answer["model"], bool(answer["content"])) == (VISION, True)


def test_model_without_vision_rejects_pictures(powershell):
    pictures = [{"data_base64": image("PNG"), "mime_type": "image/png"}]
    turns = [{"role": "user", "content": "Describe this image", "images": pictures}]
    with pytest.raises(requests.HTTPError) as refused:
        powershell("POST", "/chat/regular", {"messages": turns})
    assert refused.value.response.status_code == 400
    assert "does not support images" in refused.value.response.json()["detail"]

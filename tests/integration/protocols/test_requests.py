"""The same request reaches LM Studio in the same form, whatever protocol it comes in."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image
from support.fake_lmstudio import CHAT
from support.protocols import PROTOCOLS

from flask_shim.lmstudio.api_versions import ApiVersion

NEWEST = pytest.mark.parametrize("pair", [ApiVersion.V1], indirect=True, ids=["v1"])
"""Once, because the API version decides only what models can do; tests without it run on every version."""

EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


def picture(form):
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, form)
    return base64.b64encode(data.getvalue()).decode()


def text_of(content):
    """Return the text of a message, which may be in parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@EACH_PROTOCOL
def test_pictures_become_png_or_jpeg_whatever_their_label(form, protocol, studio, client):
    assert protocol.ask(client, stream=True, image=picture(form)).status == 200
    (part,) = [part for part in studio.posted(CHAT)[-1]["messages"][-1]["content"] if part["type"] == "image_url"]
    kind = "jpeg" if form == "JPEG" else "png"
    assert part["image_url"]["url"].startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize("image", ["bm90IGEgcGljdHVyZQ==", "JVBERi0xLjc="], ids=["text", "PDF"])
@EACH_PROTOCOL
def test_what_is_no_picture_is_a_400(image, protocol, studio, client):
    outcome = protocol.ask(client, stream=True, image=image)
    assert outcome.status == 400
    assert not studio.posted(CHAT)


@NEWEST
@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"a\\ud83db", "a\ufffdb"),
        (b"\\ude00a", "\ufffda"),
        (b"\\ud83d\\ude00", "\U0001f600"),
        (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd"),
        ("ä 天气".encode(), "ä 天气"),
    ],
)
@EACH_PROTOCOL
def test_text_that_is_not_utf8_has_replacement_characters(written, text, protocol, studio, client):
    body = json.dumps(protocol.body()).encode().replace(b'"hi"', b'"' + written + b'"')
    answer = client.post(protocol.path, data=body, content_type="application/json", buffered=True)
    assert answer.status_code == 200
    assert text_of(studio.posted(CHAT)[-1]["messages"][-1]["content"]) == text


@NEWEST
@EACH_PROTOCOL
def test_duplicate_and_unknown_fields_are_accepted(protocol, studio, client):
    body = json.dumps(protocol.body(x_unknown={"a": [1]}))[:-1] + ', "stream": false, "stream": true}'
    answer = client.post(protocol.path, data=body, content_type="text/plain", buffered=True)
    assert answer.status_code == 200
    assert "x_unknown" not in studio.posted(CHAT)[-1] or protocol.path == "/v1/chat/completions"


WITH_TOOLS = [protocol for protocol in PROTOCOLS if protocol.path != "/api/generate"]
SCHEMAS = {
    "empty": {},
    "without properties": {"type": "object"},
    "properties null": {"type": "object", "properties": None},
    "without a type": {"properties": {}},
}


@NEWEST
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
@pytest.mark.parametrize("protocol", WITH_TOOLS, ids=lambda protocol: protocol.name)
def test_tool_schemas_are_completed(schema, protocol, studio, client):
    """LM Studio rejects parameters without properties (lmstudio-bug-tracker#2203)."""
    body = protocol.body(tools=("look",))
    (tool,) = body["tools"]
    holder = tool.get("function", tool)
    holder["input_schema" if "input_schema" in holder else "parameters"] = schema
    assert client.post(protocol.path, json=body, buffered=True).status_code == 200
    (sent,) = studio.posted(CHAT)[-1]["tools"]
    assert sent["function"]["parameters"] == {"type": "object", "properties": {}}

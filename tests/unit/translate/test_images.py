"""Images become data URLs of PNG or JPEG with a true media type, within bounds of memory."""

from __future__ import annotations

import base64
import warnings
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.pictures import opened, picture

from flask_shim.errors import BadRequest
from flask_shim.translate.ollama import images
from flask_shim.translate.ollama.images import ImageConverter


def to_data_url(image, converter=None):
    return (converter or ImageConverter()).to_data_url(base64.b64encode(image).decode())


@pytest.mark.parametrize(("format_", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_png_and_jpeg_stay_as_they_are(format_, media_type):
    image = picture(format_)
    assert to_data_url(image) == f"data:{media_type};base64,{base64.b64encode(image).decode()}"


@pytest.mark.parametrize("format_", ["WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_other_formats_become_png(format_, mode):
    if (format_, mode) in {("WEBP", "P"), ("WEBP", "L"), ("GIF", "RGBA")}:
        mode = "RGB"
    url = to_data_url(picture(format_, "white", mode=mode))
    assert url.startswith("data:image/png;base64,")
    converted = opened(url)
    assert (converted.format, converted.size) == ("PNG", (8, 8))
    assert converted.convert("RGB").getpixel((4, 4)) == (255, 255, 255)


def test_transparency_is_kept():
    assert opened(to_data_url(picture("WEBP", (255, 0, 0, 100), mode="RGBA"))).getpixel((4, 4))[3] == 100


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"hello",
        b"RIFF\x00\x00\x00\x00WEBP",
        picture("GIF")[:20],
        picture("BMP")[:40],
        b"<svg></svg>",
        b"\x00" * 100,
    ],
    ids=["empty", "text", "webp head", "cut gif", "cut bmp", "svg", "zeros"],
)
def test_what_cannot_be_read_is_the_clients_fault(image):
    with pytest.raises(BadRequest, match=r"^an image "):
        to_data_url(image)


@pytest.mark.parametrize("action", ["error", "ignore"])
@pytest.mark.parametrize("most", [1, 40, 63])
def test_a_picture_with_too_many_pixels_is_refused(monkeypatch, most, action):
    monkeypatch.setattr(images, "MAX_PIXELS", most)
    with warnings.catch_warnings():
        warnings.simplefilter(action, Image.DecompressionBombWarning)
        with pytest.raises(BadRequest, match=r"^an image has too many pixels: at most \d+ can be converted$"):
            to_data_url(picture("GIF"))


def test_the_pixels_of_a_request_are_added_up(monkeypatch):
    monkeypatch.setattr(images, "MAX_REQUEST_PIXELS", 3 * 64)
    converter = ImageConverter()
    for image in (picture("GIF"), picture("WEBP"), picture("PNG", size=(100, 100)), picture("BMP")):
        to_data_url(image, converter)
    with pytest.raises(BadRequest, match=r"^the images of the request have too many pixels: at most \d+ can be conv"):
        to_data_url(picture("GIF", size=(1, 1)), converter)


@pytest.mark.parametrize("size", [(9400, 9400), (10_000_001, 1), (3163, 3163)])
def test_an_image_over_the_limit_is_not_decoded(monkeypatch, size):
    small = picture("BMP", size=(1, 1))
    image = small[:18] + b"".join(side.to_bytes(4, "little") for side in size) + small[26:]
    monkeypatch.setattr(Image.Image, "convert", None)
    with pytest.raises(BadRequest, match=r"^an image has too many pixels"):
        to_data_url(image)


@pytest.mark.parametrize("format_", ["WEBP", "GIF", "BMP"])
def test_a_conversion_takes_one_of_two_permits(monkeypatch, format_):
    free, open_ = [], Image.open

    def count_permits(*args, **more):
        with ExitStack() as taken:
            while images._CONVERSIONS.acquire(blocking=False):
                taken.callback(images._CONVERSIONS.release)
                free.append(format_)
        return open_(*args, **more)

    monkeypatch.setattr(Image, "open", count_permits)
    to_data_url(picture(format_))
    assert free == [format_]


@pytest.mark.parametrize("format_", ["EPS", "TIFF", "PCX", "PPM", "ICO", "TGA", "DDS", "SGI"])
def test_no_other_decoder_of_pillow_runs(format_):
    with pytest.raises(BadRequest, match="in no format that can be read"):
        to_data_url(picture(format_))


def test_other_threads_warnings_are_left_as_they_are_meanwhile(monkeypatch):
    before, during, open_ = list(warnings.filters), [], Image.open
    monkeypatch.setattr(
        Image, "open", lambda *args, **more: during.append(list(warnings.filters)) or open_(*args, **more)
    )
    to_data_url(picture("GIF"))
    assert during == [before]


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"GIF89a" + rest))
def test_any_bytes_are_a_data_url_or_the_clients_fault(image):
    with suppress(BadRequest):
        assert to_data_url(image).startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))

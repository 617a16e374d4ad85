"""Images as LM Studio accepts them: data URLs of PNG or JPEG, whatever the client sent.

Small files may hold huge images, so the memory for conversions is bounded: by the pixels of one image and of one
request, and by the number of conversions at a time.
"""

from __future__ import annotations

import base64
import io
import threading

from flask_shim.errors import BadRequest

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))

_SIGNATURE_LETTERS = 12
"""Of base64, which hold nine bytes."""

_FORMATS = ("WEBP", "GIF", "BMP")
"""What is converted. Pillow's other decoders stay closed: its EPS decoder runs Ghostscript."""

MAX_PIXELS = 10_000_000
"""Of one image that is converted. A WebP of this size takes up to 200 MB, 16 bytes a pixel for decoding (Pillow 11)."""

MAX_REQUEST_PIXELS = 8 * MAX_PIXELS
"""Of all images of a request that are converted. Agents send the images of the whole conversation again each time."""

_CONVERSIONS = threading.BoundedSemaphore(2)

_TOO_MANY_PIXELS = f"an image has too many pixels: at most {MAX_PIXELS} can be converted"
_TOO_MANY_IN_REQUEST = (
    f"the images of the request have too many pixels: at most {MAX_REQUEST_PIXELS} can be converted, send PNG or JPEG"
)
_UNREADABLE = "an image is in no format that can be read (PNG, JPEG, WebP, GIF, BMP), or damaged"


def media_type_of(text: str, start: int = 0) -> str | None:
    """Return the media type of the PNG or JPEG whose base64 begins at ``start``, None for anything else.

    Raises binascii.Error if that is no base64.
    """
    first = base64.b64decode(text[start : start + _SIGNATURE_LETTERS], validate=True)
    return next((name for signature, name in _SIGNATURES if first.startswith(signature)), None)


class ImageConverter:
    """Converts the images of one request."""

    _pixels = 0

    def to_data_url(self, image: str) -> str:
        """Return an image in base64 as a data URL whose media type is true; anything but PNG and JPEG becomes PNG.

        Raises BadRequest for what is not a readable image, and beyond the limits.
        """
        media_type = media_type_of(image)
        if media_type is None:
            with _CONVERSIONS:
                png = self._to_png(base64.b64decode(image))
            image, media_type = base64.b64encode(png).decode("ascii"), "image/png"
        return f"data:{media_type};base64,{image}"

    def _to_png(self, image: bytes) -> bytes:
        from PIL import Image  # late: takes 30 ms, which most requests do not need

        try:
            with Image.open(io.BytesIO(image), formats=_FORMATS) as picture:
                self._count(picture.width * picture.height)
                buffer = io.BytesIO()
                has_alpha = "A" in picture.getbands() or "transparency" in picture.info
                picture.convert("RGBA" if has_alpha else "RGB").save(buffer, "PNG", compress_level=1)
                return buffer.getvalue()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
            raise BadRequest(_TOO_MANY_PIXELS) from exc
        except BadRequest:
            raise
        except Exception as exc:  # decoders raise anything, and their texts may name paths of this machine
            raise BadRequest(_UNREADABLE) from exc

    def _count(self, pixels: int) -> None:
        if pixels > MAX_PIXELS:
            raise BadRequest(_TOO_MANY_PIXELS)
        self._pixels += pixels
        if self._pixels > MAX_REQUEST_PIXELS:
            raise BadRequest(_TOO_MANY_IN_REQUEST)

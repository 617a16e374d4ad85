"""Images as LM Studio takes them: data URLs of PNG or JPEG, whatever the client sent."""

from __future__ import annotations

import base64
import io

from flask_shim.errors import BadRequest

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))

_FORMATS = ("WEBP", "GIF", "BMP")
"""What is converted. Pillow's other decoders stay closed: its EPS decoder runs Ghostscript."""

MAX_PIXELS = 16_000_000
"""Of one image that is converted: a WebP of this size takes about 250 MB for a moment, a BMP 170 MB."""

_TOO_MANY_PIXELS = f"an image has too many pixels: at most {MAX_PIXELS} can be converted"
_UNREADABLE = "an image is in no format that can be read (PNG, JPEG, WebP, GIF, BMP), or damaged"


def to_data_url(image: bytes) -> str:
    """Return the image as a data URL whose media type is true; anything but PNG and JPEG becomes PNG.

    Raises BadRequest when the bytes are no image that can be read.
    """
    media_type = next((name for signature, name in _SIGNATURES if image.startswith(signature)), None)
    if media_type is None:
        image, media_type = _to_png(image), "image/png"
    return f"data:{media_type};base64,{base64.b64encode(image).decode('ascii')}"


def _to_png(image: bytes) -> bytes:
    from PIL import Image  # late: 30 ms that most requests do not need

    try:
        with Image.open(io.BytesIO(image), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise BadRequest(_TOO_MANY_PIXELS)
            buffer = io.BytesIO()
            has_alpha = "A" in picture.getbands() or "transparency" in picture.info
            picture.convert("RGBA" if has_alpha else "RGB").save(buffer, "PNG")
            return buffer.getvalue()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise BadRequest(_TOO_MANY_PIXELS) from exc
    except BadRequest:
        raise
    except Exception as exc:  # decoders raise anything, and their texts tell of the host
        raise BadRequest(_UNREADABLE) from exc

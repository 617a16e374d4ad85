"""Small pictures in all kinds of formats."""

from __future__ import annotations

import base64
import io

from PIL import Image


def picture(
    format_: str = "PNG", color: str | tuple[int, ...] = "red", size: tuple[int, int] = (8, 8), mode: str = "RGB"
) -> bytes:
    """Return a picture of one color."""
    buffer = io.BytesIO()
    Image.new("RGBA", size, color).convert(mode).save(buffer, format_)
    return buffer.getvalue()


def opened(data_url: str) -> Image.Image:
    """Return the picture in a data URL."""
    return Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2])))

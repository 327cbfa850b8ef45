"""Pictures encoded anew: whatever a stranger sends becomes a plain JPEG and a small one, or is refused. No Django.

Only pixels survive: no metadata, no position, no comment, nothing before or behind the picture, one frame.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

MAX_PIXELS: Final = 25_000_000
# The longest side, in pixels, of what is kept and of the small one.
MAX_SIDE, THUMBNAIL_SIDE = 2048, 400
EXTENSION: Final = "jpg"
# A progressive JPEG of ordinary programs has about ten; each is a walk through the whole picture, for a few bytes.
_MAX_SCANS: Final = 50
_FORMATS: Final = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"RIFF": "WEBP"}
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_TOO_LARGE: Final = f"A picture has at most {MAX_PIXELS // 1_000_000} megapixels."
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


class InvalidImage(Exception):
    """It is none that we take; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture encoded by us: the two files, and the size of the larger one in pixels."""

    full: bytes
    thumbnail: bytes
    width: int
    height: int


def encode(data: bytes) -> EncodedImage:
    """Return a JPEG, PNG or WebP, told by its content, encoded anew: upright, on white, its first frame.

    At most MAX_SIDE pixels a side and never enlarged. Raises InvalidImage; nothing else for anything that can be sent.
    """
    kind = next((kind for magic, kind in _FORMATS.items() if data.startswith(magic)), None)
    if kind is None:
        raise InvalidImage("It must be a JPEG, PNG or WebP picture.")
    if kind == "JPEG" and _has_too_many_scans(data):
        raise InvalidImage("This JPEG has too many scans.")
    try:
        with Image.open(BytesIO(data), formats=(kind,)) as sent:
            _check_size(sent)
            full = _plain(sent)
        thumbnail = full.copy()
        thumbnail.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        return EncodedImage(_jpeg(full), _jpeg(thumbnail), full.width, full.height)
    except InvalidImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidImage(_TOO_LARGE) from error
    except Exception as error:  # what decoders raise on a broken file, no documentation says
        raise InvalidImage("The picture is damaged or of an unknown kind.") from error


def _check_size(sent: Image.Image) -> None:
    """Look at what the header says: nothing is decoded yet."""
    if sent.width * sent.height > MAX_PIXELS:
        raise InvalidImage(_TOO_LARGE)


def _plain(sent: Image.Image) -> Image.Image:
    """Return the first frame's pixels, reduced and upright, in a new RGB image that knows nothing of the old one."""
    # Reduced before it is turned, so that a JPEG is never decoded in full size.
    sent.thumbnail((MAX_SIDE, MAX_SIDE))
    turned = sent
    with suppress(Exception):  # an orientation that cannot be read is none
        turned = ImageOps.exif_transpose(sent)
    if turned.mode.startswith("I"):
        # 16 bits of grey: Pillow's own conversion would cut them off, not scale them.
        turned = turned.convert("I").point(lambda value: value / 256).convert("L")
    plain = Image.new("RGB", turned.size, "white")
    if turned.has_transparency_data:
        turned = turned.convert("RGBA")
        plain.paste(turned, mask=turned)
    else:
        plain.paste(turned.convert("RGB"))
    return plain


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def _has_too_many_scans(data: bytes) -> bool:
    """Count the scans of the first image of a JPEG by its markers (ITU-T T.81, B.1.1), without decoding any."""
    scans, at = 0, 2
    while scans <= _MAX_SCANS and (found := _MARKER.search(data, at)):
        marker, at = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return False
        scans += marker == _START_OF_SCAN
        at += int.from_bytes(data[at : at + 2], "big")
    return scans > _MAX_SCANS

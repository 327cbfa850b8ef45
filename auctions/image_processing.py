"""Encode uploaded images again: each becomes a plain JPEG and a thumbnail, or is refused. No Django.

Only the pixels of the first frame are kept: no metadata, no location, no comments, nothing before or after the image.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

# A JPEG is never decoded in full size. The other formats are: the limit holds their cost to half a second and 200 MB.
MAX_PIXELS: Final = {"JPEG": 25_000_000, "PNG": 12_000_000, "WEBP": 12_000_000}
# The longest side in pixels of the image and of the thumbnail.
MAX_SIDE, THUMBNAIL_SIDE = 2048, 400
EXTENSION: Final = "jpg"
# Ordinary progressive JPEGs have about ten. Each takes a pass over the whole image, and costs the sender a few bytes.
_MAX_SCANS: Final = 20
# Before its pixels a photo has a few dozen segments: metadata, a color profile. Pillow copies all for each one added.
_MAX_SEGMENTS: Final = 1000
_FORMATS: Final = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"RIFF": "WEBP"}
# Markers of segments, which have a length. TEM (01) and RST (D0 to D7) have none.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_TOO_LARGE: Final = "A {kind} image can have at most {megapixels} megapixels."
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


class InvalidImage(Exception):
    """The file is not an accepted image. The message says why, for people."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image: the two files, and the size of the larger one in pixels."""

    full: bytes
    thumbnail: bytes
    width: int
    height: int


def encode(data: bytes) -> EncodedImage:
    """Encode a JPEG, PNG or WebP, recognized by its content: upright, on white, its first frame.

    At most MAX_SIDE pixels a side, never enlarged. Raises InvalidImage, and nothing else, whatever the data.
    """
    kind = next((kind for magic, kind in _FORMATS.items() if data.startswith(magic)), None)
    if kind is None:
        raise InvalidImage("The file must be a JPEG, PNG or WebP image.")
    if kind == "JPEG" and _has_too_many_segments(data):
        raise InvalidImage("This JPEG has too many scans or segments.")
    try:
        with Image.open(BytesIO(data), formats=(kind,)) as sent:
            _check_size(sent, kind)
            full = _plain(sent)
        thumbnail = full.copy()
        thumbnail.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        return EncodedImage(_jpeg(full), _jpeg(thumbnail), full.width, full.height)
    except InvalidImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(kind) from error
    except Exception as error:  # what decoders raise on broken files is not documented
        raise InvalidImage("The image is damaged or not supported.") from error


def _check_size(sent: Image.Image, kind: str) -> None:
    """Check the size in the header. Nothing is decoded yet."""
    if sent.width * sent.height > MAX_PIXELS[kind]:
        raise _too_large(kind)


def _too_large(kind: str) -> InvalidImage:
    return InvalidImage(_TOO_LARGE.format(kind=kind, megapixels=MAX_PIXELS[kind] // 1_000_000))


def _plain(sent: Image.Image) -> Image.Image:
    """Return the first frame, reduced and upright, in a new RGB image without the metadata of the old one."""
    # Reduced first, so that a JPEG is never decoded in full size.
    sent.thumbnail((MAX_SIDE, MAX_SIDE))
    turned = sent
    with suppress(Exception):  # an unreadable orientation is ignored
        turned = ImageOps.exif_transpose(sent)
    if turned.mode.startswith("I"):
        # 16-bit gray: Pillow's own conversion would clip the values, not scale them.
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


def _has_too_many_segments(data: bytes) -> bool:
    """Count the scans and all segments of the first image of a JPEG (ITU-T T.81, B.1.1), without decoding any."""
    scans = segments = 0
    at = 2
    while scans <= _MAX_SCANS and segments <= _MAX_SEGMENTS and (found := _MARKER.search(data, at)):
        marker, at = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return False
        scans += marker == _START_OF_SCAN
        segments += 1
        at += int.from_bytes(data[at : at + 2], "big")
    return scans > _MAX_SCANS or segments > _MAX_SEGMENTS

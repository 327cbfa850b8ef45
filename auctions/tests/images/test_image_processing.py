"""auctions/image_processing.py: what of an upload is kept, and what is refused."""

import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from auctions import image_processing
from auctions.models import AuctionEvent, ProductImage
from auctions.tests.images.image_helpers import make_image, stored_names

pytestmark = pytest.mark.django_db

# --- Refused files -----------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def scan_bomb(scans, before=b""):
    """Return a small progressive JPEG with many scans, each of which decodes the whole image."""
    whole = make_image("JPEG", (2000, 2000), "L", 0, progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + before + scan * scans + b"\xff\xd9"


def segment_bomb():
    """Return a JPEG whose many pieces of EXIF data are copied for each."""
    whole = make_image("JPEG")
    return whole[:2] + b"\xff\xe1\x00\x0cExif\x00\x00data" * 2000 + whole[2:]


UNSUPPORTED = {
    "nothing in it": b"\x00",
    "text": b"hello",
    "HTML": b"<html><script>alert(1)</script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "GIF": make_image("GIF"),
    "BMP": make_image("BMP"),
    "TIFF": make_image("TIFF"),
    "PDF": b"%PDF-1.4",
    "HTML before a JPEG": b"<script>alert(1)</script>" + make_image("JPEG"),
    "a JPEG's first bytes": b"\xff\xd8\xff",
    "a JPEG of ends": b"\xff\xd8\xff" + b"\xff\xd9" * 50,
    "a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
    "another RIFF": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "a RIFF's first bytes": b"RIFF",
    "a TIFF named as JPEG's magic": b"\xff\xd8\xff" + make_image("TIFF"),
    "a cut JPEG": make_image("JPEG")[:-200],
    "a cut PNG": make_image("PNG", mode="RGB", size=(300, 300))[:-40],
    "a cut WebP": make_image("WEBP")[:-20],
    "a PNG without pixels": png_header(100, 100) + chunk(b"IEND", b""),
    "a PNG of no width": png_header(0, 100) + chunk(b"IEND", b""),
    "a PNG of a wrong checksum": make_image()[:40] + b"\xff" + make_image()[41:],
    "a PNG whose text unpacks to 100 MB": png_header(9, 9)
    + chunk(b"zTXt", b"a\x00\x00" + zlib.compress(b"\x00" * 100_000_000))
    + chunk(b"IDAT", zlib.compress(b"\x00" * 252))
    + chunk(b"IEND", b""),
    "144 megapixels in 17 KB": make_image("PNG", (12_000, 12_000), "1", 0),
    "26 megapixels": make_image("JPEG", (5_200, 5_000), "L", 0),
    "200 megapixels by its header": png_header(20_000, 10_000) + chunk(b"IDAT", b""),
    "4,000,000 megapixels by its header": png_header(2_000_000, 2_000_000) + chunk(b"IDAT", b""),
    "a JPEG of 5,000 scans": scan_bomb(5000),
    # TEM has no length, but what follows looks like one that covers the scans.
    "a JPEG of 100 scans after TEM": scan_bomb(100, before=b"\xff\x01\xff\xff"),
    "a JPEG of 2,000 segments": segment_bomb(),
}


@pytest.mark.parametrize("data", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_add_image_of_unsupported_file_is_refused(send, data):
    answer = send(data)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", ["image"])
    assert (stored_names(), ProductImage.objects.count(), AuctionEvent.objects.count()) == ([], 0, 0)


@pytest.mark.parametrize("seed", range(40))
def test_encode_of_damaged_image_is_refused_or_valid(seed):
    import random

    rng = random.Random(seed)
    data = bytearray(make_image(rng.choice(("JPEG", "PNG", "WEBP")), (60, 40)))
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(3, len(data))] = rng.randrange(256)
    try:
        encoded = image_processing.encode(bytes(data))
    except image_processing.InvalidImage:
        return
    assert Image.open(io.BytesIO(encoded.full)).size == (encoded.width, encoded.height)


@pytest.mark.parametrize(
    ("options", "pixel"),
    [
        ({"kind": "JPEG"}, (254, 0, 0)),
        ({"kind": "WEBP", "lossless": True}, (254, 0, 0)),
        ({"kind": "JPEG", "progressive": True}, (254, 0, 0)),
        ({"kind": "JPEG", "mode": "CMYK", "color": (0, 255, 255, 0)}, (254, 0, 0)),
        ({"kind": "JPEG", "mode": "L", "color": 120}, (120, 120, 120)),
        ({"mode": "P"}, (254, 0, 0)),
        ({"mode": "1", "color": 1}, (255, 255, 255)),
        ({"mode": "LA", "color": (0, 0)}, (255, 255, 255)),
        ({"mode": "RGBA", "color": (0, 0, 0, 0)}, (255, 255, 255)),
        ({"mode": "I;16", "color": 30_000}, (117, 117, 117)),
        ({"mode": "P", "transparency": 0, "color": 0}, (255, 255, 255)),
    ],
)
def test_encode_keeps_the_color_of_every_mode(options, pixel):
    found = Image.open(io.BytesIO(image_processing.encode(make_image(size=(40, 30), **options)).full)).getpixel(
        (20, 15)
    )
    assert all(abs(is_ - ought) <= 3 for is_, ought in zip(found, pixel, strict=True)), found


def test_encode_never_enlarges_nor_loses_a_side():
    assert (
        image_processing.encode(make_image(size=(30, 20))).width,
        image_processing.encode(make_image(size=(20_000, 2))).height,
    ) == (30, 1)


def test_encode_of_animation_keeps_the_first_frame():
    frames = [Image.new("RGB", (50, 40), color) for color in ("red", "blue", "green")]
    for kind in ("WEBP", "PNG"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=100)
        kept = Image.open(io.BytesIO(image_processing.encode(buffer.getvalue()).full))
        assert (getattr(kept, "n_frames", 1), kept.getpixel((20, 20))[0] > 200) == (1, True)


def test_encode_removes_all_metadata():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    exif[0x010F] = "SECRETMAKER"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    options = {"exif": exif, "comment": b"SECRETCOMMENT", "icc_profile": b"SECRETPROFILE", "xmp": b"<x>SECRETXMP</x>"}
    sent = make_image("JPEG", (60, 40), **options) + b"<script>SECRETTAIL</script>PK\x03\x04"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "SECRETTEXT")
    for data in (sent, make_image("PNG", (60, 40), exif=exif, pnginfo=text) + b"SECRETTAIL"):
        assert b"SECRET" in data
        encoded = image_processing.encode(data)
        assert (encoded.width, encoded.height) == (40, 60)
        for kept in (encoded.full, encoded.thumbnail):
            image = Image.open(io.BytesIO(kept))
            assert b"SECRET" not in kept
            assert (dict(image.getexif()), image.info.keys() & {"exif", "icc_profile", "comment", "xmp"}) == ({}, set())


def test_encode_applies_the_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6
    sent = Image.new("RGB", (80, 40), "blue")
    sent.paste("red", (0, 0, 40, 40))
    buffer = io.BytesIO()
    sent.save(buffer, "PNG", exif=exif)
    kept = Image.open(io.BytesIO(image_processing.encode(buffer.getvalue()).full))
    assert (kept.size, kept.getpixel((20, 10))[0] > 200, kept.getpixel((20, 70))[2] > 200) == ((40, 80), True, True)

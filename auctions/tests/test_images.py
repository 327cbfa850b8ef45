import importlib.util
import io
import struct
import sys
import threading
import zlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from PIL import Image, PngImagePlugin

from auctioncraft.errors import PermissionDenied
from auctioncraft.tests import factories
from auctions import pictures
from auctions.models import Auction, AuctionEvent, ProductImage
from auctions.services import closing, editing, events, images, relisting
from auctions.tests import acts

pytestmark = pytest.mark.django_db


def url(product, image=""):
    return f"/api/products/{product.pk}/images/{image}"


def made(kind="PNG", size=(800, 600), mode="RGB", colour="red", **options):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind, **options)
    return buffer.getvalue()


def form(data, name="picture.png", content_type="image/png"):
    return {"image": SimpleUploadedFile(name, data, content_type)}


def files():
    return sorted(default_storage.listdir("products")[1]) if default_storage.exists("products") else []


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def product(seller):
    return factories.product(seller)


@pytest.fixture
def send(as_user, seller, product):
    """Send a picture as the seller."""
    caller = as_user(seller)

    def post(data=None, user=None, to=product, **named):
        who = caller if user is None else as_user(user)
        return who.post(url(to), form(data or made(), **named), format="multipart")

    return post


@pytest.fixture
def add(seller, product):
    """Add a picture by the service."""
    return lambda data=None, to=product, **more: images.add_image(
        product_id=to.pk, actor=more.pop("actor", seller), file=io.BytesIO(data or made()), **more
    )


def stored(name):
    with default_storage.open(name) as file:
        picture = Image.open(io.BytesIO(file.read()))
        picture.load()
        return picture


def test_a_picture_is_added(send, client, seller, product):
    answer = send(made(size=(3000, 1500)), name="../../etc/pass\x00wd.svg", content_type="image/svg+xml")
    image = ProductImage.objects.get()
    assert answer.status_code == 201, answer.json()
    assert answer.json() == {
        "id": image.pk,
        "url": f"/media/{image.image.name}",
        "thumbnail": f"/media/{image.thumbnail.name}",
        "width": 2048,
        "height": 1024,
    }
    assert files() == sorted(Path(name).name for name in (image.image.name, image.thumbnail.name))
    assert all(Path(name).stem.removesuffix("-small").isalnum() and name.endswith(".jpg") for name in files())
    full, small = stored(image.image.name), stored(image.thumbnail.name)
    assert (full.format, full.size, small.format, small.size) == ("JPEG", (2048, 1024), "JPEG", (400, 200))
    event = AuctionEvent.objects.get()
    assert (event.seq, event.kind, event.data, event.private) == (
        *(1, "edited", {"fields": ["images"]}),
        {"editor": seller.pk},
    )
    listed = client.get(url(product)).json()
    assert listed == {"count": 1, "next": None, "previous": None, "results": [answer.json()]}
    detail = client.get(f"/api/products/{product.pk}/").json()
    assert (detail["images"], detail["thumbnail"], detail["seq"]) == ([answer.json()], answer.json()["thumbnail"], 1)


def test_the_first_is_the_thumbnail_and_they_keep_their_order(add, client, product):
    made = [add().pk for _ in range(3)]
    detail = client.get(f"/api/products/{product.pk}/").json()
    assert [image["id"] for image in detail["images"]] == made
    assert detail["thumbnail"] == detail["images"][0]["thumbnail"]
    pages = client.get(url(product) + "?page_size=2").json()
    assert ([image["id"] for image in pages["results"]], pages["count"]) == (made[:2], 3)


def test_removing(add, as_user, seller, product, client, django_capture_on_commit_callbacks):
    first, second = add(), add()
    with django_capture_on_commit_callbacks() as callbacks:
        assert as_user(seller).delete(url(product, f"{first.pk}/")).status_code == 204
    assert len(files()) == 4  # until it is committed
    for callback in callbacks:
        callback()
    assert files() == sorted(Path(name).name for name in (second.image.name, second.thumbnail.name))
    product.refresh_from_db()
    assert product.thumbnail.name == second.thumbnail.name
    assert AuctionEvent.objects.filter(kind="edited").count() == 3
    assert add().position == 2
    images.remove_image(product_id=product.pk, image_id=second.pk, actor=seller)
    images.remove_image(product_id=product.pk, image_id=ProductImage.objects.get().pk, actor=seller)
    product.refresh_from_db()
    assert (product.thumbnail.name, client.get(f"/api/products/{product.pk}/").json()["images"]) == ("", [])


def test_who_may(send, add, as_user, client, product, staff, rival):
    image = add()
    assert send(user=staff).status_code == 201
    assert (send(user=rival).status_code, as_user(rival).delete(url(product, f"{image.pk}/")).status_code) == (403, 403)
    assert client.post(url(product), form(made()), format="multipart").status_code == 401
    assert client.delete(url(product, f"{image.pk}/")).status_code == 401
    assert client.get(url(product)).status_code == 200
    assert as_user(staff).delete(url(product, f"{image.pk}/")).status_code == 204


def test_a_stranger_costs_no_work(add, rival, product, monkeypatch):
    monkeypatch.setattr(pictures, "encode", None)
    with pytest.raises(PermissionDenied):
        add(actor=rival)
    assert files() == []


def test_what_is_not_there(add, as_user, client, seller, product):
    image, other = add(), factories.product(seller)
    caller = as_user(seller)
    assert client.get("/api/products/999999/images/").status_code == 404
    assert caller.post("/api/products/999999/images/", form(made()), format="multipart").status_code == 404
    for gone in (
        url(other, f"{image.pk}/"),
        url(product, "999999/"),
        url(product, "abc/"),
        url(product, "9" * 19 + "/"),
    ):
        assert (caller.delete(gone).status_code, caller.delete(gone).json()["code"]) == (404, "not_found")
    for method in ("put", "patch", "delete"):
        assert getattr(caller, method)(url(product)).status_code == 405


def test_with_bids_pictures_are_added_but_not_removed(send, add, as_user, seller, bidder, product):
    image = add()
    acts.bid(product, bidder, "5")
    assert send().status_code == 201
    answer = as_user(seller).delete(url(product, f"{image.pk}/"))
    assert (answer.status_code, answer.json()["code"]) == (409, "auction_has_bids")
    assert len(files()) == 4


@pytest.mark.parametrize("how", ["closed", "ended"])
def test_nothing_changes_once_it_is_over(send, add, as_user, staff, seller, product, how):
    image = add()
    if how == "closed":
        closing.close_auction(product_id=product.pk, actor=seller)
    else:
        acts.end(product)
    for answer in (send(), send(user=staff), as_user(seller).delete(url(product, f"{image.pk}/"))):
        assert (answer.status_code, answer.json()["code"]) == (409, "auction_already_closed")
    assert len(files()) == 2


def test_twelve_at_most(send, add):
    for _ in range(12):
        add()
    answer = send()
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_images")
    assert len(files()) == 24


@pytest.mark.parametrize("vetoed", ["seen", "decided"])
def test_a_refused_or_failed_add_leaves_no_file(add, product, seller, monkeypatch, vetoed):
    if vetoed == "decided":
        # It closes while the picture is being encoded.
        encode = pictures.encode

        def slowly(data):
            closing.close_auction(product_id=product.pk, actor=seller)
            return encode(data)

        monkeypatch.setattr(pictures, "encode", slowly)
        expected = images.AuctionAlreadyClosed
    else:
        monkeypatch.setattr(events, "record", lambda **_: 1 / 0)
        expected = ZeroDivisionError
    with pytest.raises(expected):
        add()
    assert (files(), ProductImage.objects.count()) == ([], 0)


def test_an_unknown_outcome_leaves_the_files(add, monkeypatch):
    def lost(**_):
        raise OperationalError("connection lost")

    monkeypatch.setattr(events, "record", lost)
    with pytest.raises(OperationalError):
        add()
    assert len(files()) == 2


@pytest.mark.parametrize("calls", [1, 2])
def test_a_storage_that_is_away_is_503(send, monkeypatch, calls):
    save, tries = default_storage.save, []

    def failing(*arguments):
        tries.append(1)
        if len(tries) == calls:
            raise OSError("disk full")
        return save(*arguments)

    monkeypatch.setattr(default_storage, "save", failing, raising=False)
    answer = send()
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "2")
    assert (files(), ProductImage.objects.count()) == ([], 0)


def test_the_same_key_adds_once(as_user, seller, product):
    def post(data, key="k"):
        return as_user(seller).post(url(product), form(data), format="multipart", headers={"Idempotency-Key": key})

    first = post(made())
    assert first.status_code == 201
    assert (post(made()).json(), ProductImage.objects.count(), len(files())) == (first.json(), 1, 2)
    assert (post(made(colour="blue")).status_code, post(made(), "\x00").status_code) == (422, 400)
    ProductImage.objects.all().delete()
    assert post(made()).json() == first.json()


def test_of_two_with_one_key_the_other_ones_picture_is_kept(add, monkeypatch):
    """The second finds nothing when it looks first, and the first one's answer when it writes."""
    kept = add(idempotency_key="k")
    earlier, looks = images.idempotency.earlier_answer, []

    def late(**arguments):
        looks.append(1)
        return None if len(looks) < 3 else earlier(**arguments)

    monkeypatch.setattr(images.idempotency, "earlier_answer", late)
    assert add(idempotency_key="k").pk == kept.pk
    assert (len(looks), ProductImage.objects.count(), len(files())) == (3, 1, 2)


# --- What is no picture of ours ----------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def scan_bomb():
    """A few hundred bytes of picture, and scan after scan that each walk through all of it."""
    whole = made("JPEG", (2000, 2000), "L", 0, progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * 5000 + b"\xff\xd9"


NONE_OF_OURS = {
    "nothing in it": b"\x00",
    "text": b"hello",
    "HTML": b"<html><script>alert(1)</script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "GIF": made("GIF"),
    "BMP": made("BMP"),
    "TIFF": made("TIFF"),
    "PDF": b"%PDF-1.4",
    "HTML before a JPEG": b"<script>alert(1)</script>" + made("JPEG"),
    "a JPEG's first bytes": b"\xff\xd8\xff",
    "a JPEG of ends": b"\xff\xd8\xff" + b"\xff\xd9" * 50,
    "a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
    "another RIFF": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "a RIFF's first bytes": b"RIFF",
    "a TIFF named as JPEG's magic": b"\xff\xd8\xff" + made("TIFF"),
    "a cut JPEG": made("JPEG")[:-200],
    "a cut PNG": made("PNG", mode="RGB", size=(300, 300))[:-40],
    "a cut WebP": made("WEBP")[:-20],
    "a PNG without pixels": png_header(100, 100) + chunk(b"IEND", b""),
    "a PNG of no width": png_header(0, 100) + chunk(b"IEND", b""),
    "a PNG of a wrong checksum": made()[:40] + b"\xff" + made()[41:],
    "a PNG whose text unpacks to 100 MB": png_header(9, 9)
    + chunk(b"zTXt", b"a\x00\x00" + zlib.compress(b"\x00" * 100_000_000))
    + chunk(b"IDAT", zlib.compress(b"\x00" * 252))
    + chunk(b"IEND", b""),
    "144 megapixels in 17 KB": made("PNG", (12_000, 12_000), "1", 0),
    "26 megapixels": made("PNG", (5_200, 5_000), "L", 0),
    "200 megapixels by its header": png_header(20_000, 10_000) + chunk(b"IDAT", b""),
    "4,000,000 megapixels by its header": png_header(2_000_000, 2_000_000) + chunk(b"IDAT", b""),
    "a JPEG of 5,000 scans": scan_bomb(),
}


@pytest.mark.parametrize("data", NONE_OF_OURS.values(), ids=NONE_OF_OURS)
def test_none_of_ours(send, data):
    answer = send(data)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", ["image"])
    assert (files(), ProductImage.objects.count(), AuctionEvent.objects.count()) == ([], 0, 0)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_picture_is_refused_or_made_whole(seed):
    import random

    rng = random.Random(seed)
    data = bytearray(made(rng.choice(("JPEG", "PNG", "WEBP")), (60, 40)))
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(3, len(data))] = rng.randrange(256)
    try:
        picture = pictures.encode(bytes(data))
    except pictures.BadPicture:
        return
    assert Image.open(io.BytesIO(picture.full)).size == (picture.width, picture.height)


@pytest.mark.parametrize(
    ("options", "pixel"),
    [
        ({"kind": "JPEG"}, (254, 0, 0)),
        ({"kind": "WEBP", "lossless": True}, (254, 0, 0)),
        ({"kind": "JPEG", "progressive": True}, (254, 0, 0)),
        ({"kind": "JPEG", "mode": "CMYK", "colour": (0, 255, 255, 0)}, (254, 0, 0)),
        ({"kind": "JPEG", "mode": "L", "colour": 120}, (120, 120, 120)),
        ({"mode": "P"}, (254, 0, 0)),
        ({"mode": "1", "colour": 1}, (255, 255, 255)),
        ({"mode": "LA", "colour": (0, 0)}, (255, 255, 255)),
        ({"mode": "RGBA", "colour": (0, 0, 0, 0)}, (255, 255, 255)),
        ({"mode": "I;16", "colour": 30_000}, (117, 117, 117)),
        ({"mode": "P", "transparency": 0, "colour": 0}, (255, 255, 255)),
    ],
)
def test_every_kind_of_colour(options, pixel):
    found = Image.open(io.BytesIO(pictures.encode(made(size=(40, 30), **options)).full)).getpixel((20, 15))
    assert all(abs(is_ - ought) <= 3 for is_, ought in zip(found, pixel, strict=True)), found


def test_a_picture_is_never_enlarged_and_never_without_a_side():
    assert (pictures.encode(made(size=(30, 20))).width, pictures.encode(made(size=(20_000, 2))).height) == (30, 1)


def test_an_animation_is_its_first_frame():
    frames = [Image.new("RGB", (50, 40), colour) for colour in ("red", "blue", "green")]
    for kind in ("WEBP", "PNG"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=100)
        kept = Image.open(io.BytesIO(pictures.encode(buffer.getvalue()).full))
        assert (getattr(kept, "n_frames", 1), kept.getpixel((20, 20))[0] > 200) == (1, True)


def test_nothing_but_pixels_survives():
    exif = Image.Exif()
    exif[0x0112] = 6  # it lies on its side
    exif[0x010F] = "SECRETMAKER"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    options = {"exif": exif, "comment": b"SECRETCOMMENT", "icc_profile": b"SECRETPROFILE", "xmp": b"<x>SECRETXMP</x>"}
    sent = made("JPEG", (60, 40), **options) + b"<script>SECRETTAIL</script>PK\x03\x04"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "SECRETTEXT")
    for data in (sent, made("PNG", (60, 40), exif=exif, pnginfo=text) + b"SECRETTAIL"):
        assert b"SECRET" in data
        picture = pictures.encode(data)
        assert (picture.width, picture.height) == (40, 60)
        for kept in (picture.full, picture.small):
            image = Image.open(io.BytesIO(kept))
            assert b"SECRET" not in kept
            assert (dict(image.getexif()), image.info.keys() & {"exif", "icc_profile", "comment", "xmp"}) == ({}, set())


def test_turned_as_the_camera_was_held():
    exif = Image.Exif()
    exif[0x0112] = 6
    sent = Image.new("RGB", (80, 40), "blue")
    sent.paste("red", (0, 0, 40, 40))
    buffer = io.BytesIO()
    sent.save(buffer, "PNG", exif=exif)
    kept = Image.open(io.BytesIO(pictures.encode(buffer.getvalue()).full))
    assert (kept.size, kept.getpixel((20, 10))[0] > 200, kept.getpixel((20, 70))[2] > 200) == ((40, 80), True, True)


# --- The form ----------------------------------------------------------------------------------------------------

BOUNDARY = 'multipart/form-data; boundary="x"'


def part(name, content, filename="a.png", more=b""):
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return b"--x\r\n" + disposition.encode() + b"\r\n" + more + b"\r\n" + content + b"\r\n"


@pytest.fixture
def raw(as_user, seller, product):
    """Send any body."""
    caller = as_user(seller)
    return lambda body, content_type=BOUNDARY, **more: caller.generic(
        "POST", url(product), body, content_type=content_type, **more
    )


def test_a_form_by_hand(raw):
    assert raw(part("image", made(), more=b"Content-Type: image/png\r\n") + b"--x--\r\n").status_code == 201


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (part("image", b"\x00") + b"--x--", "multipart/form-data"),
        (part("image", b"\x00") + b"--x--", "multipart/form-data; boundary="),
        (part("image", b"\x00") + b"--x--", "multipart/form-data; boundary=é"),
        (part("image", b"!", more=b"Content-Transfer-Encoding: base64\r\n") + b"--x--", BOUNDARY),
        (part("image", made()) * 2 + b"--x--", BOUNDARY),
        (part("name", b"a", None) * 2 + b"--x--", BOUNDARY),
        (b"".join(part(f"f{n}", b"a") for n in range(200)) + b"--x--", BOUNDARY),
        (b"".join(part(f"f{n}", b"a", None) for n in range(2000)) + b"--x--", BOUNDARY),
    ],
    ids=["no boundary", "empty", "odd", "base64", "twice", "a field twice", "200 files", "2,000 fields"],
)
def test_a_bad_form_is_400(raw, body, content_type):
    answer = raw(body, content_type)
    assert (answer.status_code, answer.json()["code"], set(answer.json())) == (400, "invalid", {"code", "detail"})
    assert files() == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"nonsense", b"--x--", part("picture", b"\x00") + b"--x--", part("image", b"") + b"--x--"),
        *(part("image", b"text", None) + b"--x--", part("image", b"\x00", "") + b"--x--", part("image", made())[:60]),
    ],
)
def test_a_form_without_a_picture_names_what_is_missing(raw, body):
    answer = raw(body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", ["image"])


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json", "application/x-www-form-urlencoded", "image/png", "text/plain", "nonsense"),
        *("multipart/mixed; boundary=x", "multipart/form-data; boundary=x; charset=hex"),
        "multipart/form-data; boundary=x; charset=utf-16",
    ],
)
def test_another_content_type_is_415(raw, content_type):
    answer = raw(part("image", made()) + b"--x--", content_type)
    assert (answer.status_code, answer.json()["code"], set(answer.json())) == (
        *(415, "unsupported_media_type"),
        {"code", "detail"},
    )


def test_five_megabytes_fit(send):
    """A picture with a long tail: as large as one may be."""
    picture = made("JPEG", (100, 100))
    assert send(picture + b"\x00" * (5_242_880 - len(picture))).status_code == 201


@pytest.mark.parametrize("size", [5_242_881, 5_400_000, 12_000_000])
def test_more_than_five_megabytes_are_413(send, size):
    answer = send(made("JPEG", (100, 100)) + b"\x00" * size)
    assert answer.status_code == 413
    assert answer.json() == {"code": "body_too_large", "detail": "The request body is too large."}
    assert files() == []


def test_fields_beside_the_picture_are_held_to_what_bodies_are(raw):
    answer = raw(part("name", b"a" * 2_700_000, None) + b"--x--")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_in_chunks_is_411(raw):
    answer = raw(b"", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


# --- Shared files ------------------------------------------------------------------------------------------------


def test_a_relisting_shows_the_same_pictures_and_keeps_their_files(
    add, seller, client, product, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        kept, gone = add(), add()
        closing.close_auction(product_id=product.pk, actor=seller)
        new = relisting.relist(product_id=product.pk, actor=seller, changes={})
    shown = client.get(f"/api/products/{new.pk}/").json()
    old = client.get(f"/api/products/{product.pk}/").json()
    assert [image["url"] for image in shown["images"]] == [image["url"] for image in old["images"]]
    assert shown["thumbnail"] == old["thumbnail"]
    with django_capture_on_commit_callbacks(execute=True):
        images.remove_image(product_id=new.pk, image_id=new.images.get(position=gone.position).pk, actor=seller)
    assert len(files()) == 4  # the old one shows it
    with django_capture_on_commit_callbacks(execute=True):
        editing.delete_product(product_id=product.pk, actor=seller)
    assert files() == sorted(Path(name).name for name in (kept.image.name, kept.thumbnail.name))
    with django_capture_on_commit_callbacks(execute=True):
        editing.delete_product(product_id=new.pk, actor=seller)
    assert files() == []


def test_a_storage_that_is_away_does_not_undo_what_was_removed(
    add, as_user, seller, product, monkeypatch, django_capture_on_commit_callbacks
):
    image = add()
    monkeypatch.setattr(default_storage, "delete", lambda _: 1 / 0, raising=False)
    with django_capture_on_commit_callbacks(execute=True):
        assert as_user(seller).delete(url(product, f"{image.pk}/")).status_code == 204
    assert not ProductImage.objects.exists()


# --- Reading -----------------------------------------------------------------------------------------------------


def test_pictures_cost_one_query_and_only_where_there_are_some(add, client, product):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            shown = client.get(f"/api/products/{product.pk}/").json()["images"]
        return len(shown), sum("productimage" in query["sql"] for query in captured), len(captured)

    assert queries() == (0, 0, 1)
    costs = []
    for _ in range(3):
        add()
        costs.append(queries())
    total = costs[0][2]
    assert costs == [(1, 1, total), (2, 1, total), (3, 1, total)]


def test_the_etag_moves_with_a_picture(add, client, product):
    address = f"/api/products/{product.pk}/"
    before = client.get(address)["ETag"]
    add()
    assert client.get(address)["ETag"] != before


def test_what_development_serves_is_nothing_but_a_picture(add, client, settings):
    settings.DEBUG = True
    spec = importlib.util.spec_from_file_location("urls_of_development", sys.modules["auctioncraft.urls"].__file__)
    settings.ROOT_URLCONF = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings.ROOT_URLCONF)
    answer = client.get(add().image.url)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert answer["X-Content-Type-Options"] == "nosniff"
    answer.close()


# --- Races -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_twelfth(add, product, seller, monkeypatch):
    for _ in range(11):
        add()
    start, told, check = threading.Barrier(2, timeout=20), [], images._check_room
    looked = threading.local()

    def look_together(product_id):
        """Both see room before either writes."""
        check(product_id)
        if not hasattr(looked, "once"):
            looked.once = True
            start.wait()

    monkeypatch.setattr(images, "_check_room", look_together)

    def run():
        try:
            add()
            told.append("added")
        except images.TooManyImages:
            told.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["added", "refused"]
    assert (ProductImage.objects.count(), len(files())) == (12, 24)
    positions = ProductImage.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(12))
    assert Auction.objects.get().seq == 12

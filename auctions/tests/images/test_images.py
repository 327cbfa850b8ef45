"""/api/products/{id}/images/."""

import importlib.util
import sys
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from auctioncraft.core.errors import PermissionDenied
from auctions import image_processing
from auctions.errors import AuctionAlreadyClosed
from auctions.models import AuctionEvent, ProductImage
from auctions.services import closing, editing, event_log, images, relisting
from auctions.tests import auction_helpers
from auctions.tests.images.image_helpers import make_image, open_stored, stored_names, upload_form, url
from tests import factories

pytestmark = pytest.mark.django_db


def test_add_image_stores_image_and_thumbnail(send, client, seller, product):
    answer = send(make_image(size=(3000, 1500)), name="../../etc/pass\x00wd.svg", content_type="image/svg+xml")
    image = ProductImage.objects.get()
    assert answer.status_code == 201, answer.json()
    assert answer.json() == {
        "id": image.pk,
        "url": f"/media/{image.image.name}",
        "thumbnail": f"/media/{image.thumbnail.name}",
        "width": 2048,
        "height": 1024,
    }
    assert stored_names() == sorted(Path(name).name for name in (image.image.name, image.thumbnail.name))
    assert all(Path(name).stem.removesuffix("-small").isalnum() and name.endswith(".jpg") for name in stored_names())
    full, small = open_stored(image.image.name), open_stored(image.thumbnail.name)
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


def test_images_keep_their_order_and_the_first_is_the_thumbnail(add, client, product):
    made = [add().pk for _ in range(3)]
    detail = client.get(f"/api/products/{product.pk}/").json()
    assert [image["id"] for image in detail["images"]] == made
    assert detail["thumbnail"] == detail["images"][0]["thumbnail"]
    pages = client.get(url(product) + "?page_size=2").json()
    assert ([image["id"] for image in pages["results"]], pages["count"]) == (made[:2], 3)


def test_remove_image_deletes_its_files_on_commit(
    add, as_user, seller, product, client, django_capture_on_commit_callbacks
):
    first, second = add(), add()
    with django_capture_on_commit_callbacks() as callbacks:
        assert as_user(seller).delete(url(product, f"{first.pk}/")).status_code == 204
    assert len(stored_names()) == 4  # until the commit
    for callback in callbacks:
        callback()
    assert stored_names() == sorted(Path(name).name for name in (second.image.name, second.thumbnail.name))
    product.refresh_from_db()
    assert product.thumbnail.name == second.thumbnail.name
    assert AuctionEvent.objects.filter(kind="edited").count() == 3
    assert add().position == 2
    images.remove_image(product_id=product.pk, image_id=second.pk, actor=seller)
    images.remove_image(product_id=product.pk, image_id=ProductImage.objects.get().pk, actor=seller)
    product.refresh_from_db()
    assert (product.thumbnail.name, client.get(f"/api/products/{product.pk}/").json()["images"]) == ("", [])


def test_images_can_be_changed_by_seller_and_staff_only(send, add, as_user, client, product, staff, rival):
    image = add()
    assert send(user=staff).status_code == 201
    assert (send(user=rival).status_code, as_user(rival).delete(url(product, f"{image.pk}/")).status_code) == (403, 403)
    assert client.post(url(product), upload_form(make_image()), format="multipart").status_code == 401
    assert client.delete(url(product, f"{image.pk}/")).status_code == 401
    assert client.get(url(product)).status_code == 200
    assert as_user(staff).delete(url(product, f"{image.pk}/")).status_code == 204


def test_add_image_by_another_user_is_refused_before_encoding(add, rival, product, monkeypatch):
    monkeypatch.setattr(image_processing, "encode", None)
    with pytest.raises(PermissionDenied):
        add(actor=rival)
    assert stored_names() == []


def test_images_of_missing_product_are_not_found(add, as_user, client, seller, product):
    image, other = add(), factories.product(seller)
    caller = as_user(seller)
    assert client.get("/api/products/999999/images/").status_code == 404
    assert caller.post("/api/products/999999/images/", upload_form(make_image()), format="multipart").status_code == 404
    for gone in (
        url(other, f"{image.pk}/"),
        url(product, "999999/"),
        url(product, "abc/"),
        url(product, "9" * 19 + "/"),
    ):
        assert (caller.delete(gone).status_code, caller.delete(gone).json()["code"]) == (404, "not_found")
    for method in ("put", "patch", "delete"):
        assert getattr(caller, method)(url(product)).status_code == 405


def test_images_with_bids_can_be_added_but_not_removed(send, add, as_user, seller, bidder, product):
    image = add()
    auction_helpers.bid(product, bidder, "5")
    assert send().status_code == 201
    answer = as_user(seller).delete(url(product, f"{image.pk}/"))
    assert (answer.status_code, answer.json()["code"]) == (409, "auction_has_bids")
    assert len(stored_names()) == 4


@pytest.mark.parametrize("how", ["closed", "ended"])
def test_images_after_the_end_cannot_be_changed(send, add, as_user, staff, seller, product, how):
    image = add()
    if how == "closed":
        closing.close_auction(product_id=product.pk, actor=seller)
    else:
        auction_helpers.move_end_to_past(product)
    for answer in (send(), send(user=staff), as_user(seller).delete(url(product, f"{image.pk}/"))):
        assert (answer.status_code, answer.json()["code"]) == (409, "auction_already_closed")
    assert len(stored_names()) == 2


def test_add_image_beyond_the_maximum_is_refused(send, add):
    for _ in range(12):
        add()
    answer = send()
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_images")
    assert len(stored_names()) == 24


@pytest.mark.parametrize("vetoed", ["seen", "decided"])
def test_add_image_that_fails_leaves_no_file(add, product, seller, monkeypatch, vetoed):
    if vetoed == "decided":
        # It closes while the image is being encoded.
        encode = image_processing.encode

        def slowly(data):
            closing.close_auction(product_id=product.pk, actor=seller)
            return encode(data)

        monkeypatch.setattr(image_processing, "encode", slowly)
        expected = AuctionAlreadyClosed
    else:
        monkeypatch.setattr(event_log, "record", lambda *_, **__: 1 / 0)
        expected = ZeroDivisionError
    with pytest.raises(expected):
        add()
    assert (stored_names(), ProductImage.objects.count()) == ([], 0)


def test_add_image_with_unknown_commit_keeps_the_files(add, monkeypatch):
    def lost(*_, **__):
        raise OperationalError("connection lost")

    monkeypatch.setattr(event_log, "record", lost)
    with pytest.raises(OperationalError):
        add()
    assert len(stored_names()) == 2


@pytest.mark.parametrize("calls", [1, 2])
def test_add_image_when_the_storage_fails_is_unavailable(send, monkeypatch, calls):
    save, tries = default_storage.save, []

    def failing(*arguments):
        tries.append(1)
        if len(tries) == calls:
            raise OSError("disk full")
        return save(*arguments)

    monkeypatch.setattr(default_storage, "save", failing, raising=False)
    answer = send()
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "2")
    assert (stored_names(), ProductImage.objects.count()) == ([], 0)


def test_add_image_repeated_with_the_same_key_adds_one(as_user, seller, product):
    def post(data, key="k"):
        return as_user(seller).post(
            url(product), upload_form(data), format="multipart", headers={"Idempotency-Key": key}
        )

    first = post(make_image())
    assert first.status_code == 201
    assert (post(make_image()).json(), ProductImage.objects.count(), len(stored_names())) == (first.json(), 1, 2)
    assert (post(make_image(color="blue")).status_code, post(make_image(), "\x00").status_code) == (422, 400)
    ProductImage.objects.all().delete()
    assert post(make_image()).json() == first.json()


def test_add_image_twice_at_once_with_one_key_keeps_the_first(add, monkeypatch):
    """The second request finds no stored response at first, and the first one's when it writes."""
    kept = add(idempotency_key="k")
    earlier, looks = images.idempotency.stored_response, []

    def late(request):
        looks.append(1)
        return None if len(looks) < 3 else earlier(request)

    monkeypatch.setattr(images.idempotency, "stored_response", late)
    assert add(idempotency_key="k").pk == kept.pk
    assert (len(looks), ProductImage.objects.count(), len(stored_names())) == (3, 1, 2)


def test_relisted_product_shares_images_and_keeps_their_files(
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
    assert len(stored_names()) == 4  # the old product refers to them
    with django_capture_on_commit_callbacks(execute=True):
        editing.delete_product(product_id=product.pk, actor=seller)
    assert stored_names() == sorted(Path(name).name for name in (kept.image.name, kept.thumbnail.name))
    with django_capture_on_commit_callbacks(execute=True):
        editing.delete_product(product_id=new.pk, actor=seller)
    assert stored_names() == []


def test_remove_image_when_the_storage_fails_stays_removed(
    add, as_user, seller, product, monkeypatch, django_capture_on_commit_callbacks
):
    image = add()
    monkeypatch.setattr(default_storage, "delete", lambda _: 1 / 0, raising=False)
    with django_capture_on_commit_callbacks(execute=True):
        assert as_user(seller).delete(url(product, f"{image.pk}/")).status_code == 204
    assert not ProductImage.objects.exists()


# --- Reading -----------------------------------------------------------------------------------------------------


def test_images_need_one_query_only_if_there_are_some(add, client, product):
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


def test_retrieve_product_etag_changes_with_images(add, client, product):
    address = f"/api/products/{product.pk}/"
    before = client.get(address)["ETag"]
    add()
    assert client.get(address)["ETag"] != before


def test_media_in_development_is_served_as_an_image_only(add, client, settings):
    settings.DEBUG = True
    spec = importlib.util.spec_from_file_location("urls_of_development", sys.modules["auctioncraft.urls"].__file__)
    settings.ROOT_URLCONF = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings.ROOT_URLCONF)
    answer = client.get(add().image.url)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert answer["X-Content-Type-Options"] == "nosniff"
    answer.close()

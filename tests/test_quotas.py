"""How many listings and images an account may have (docs/limits.md)."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services.quotas import quota
from auctions import image_processing
from auctions.models import Auction, Product, ProductImage
from auctions.services import closing, images
from auctions.tests.images.image_helpers import make_image, upload_form, url
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def limits(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return lambda **chosen: setattr(
        settings, "LIMITS", settings.LIMITS | {name.replace("_new", ".new"): number for name, number in chosen.items()}
    )


def established(**fields):
    now = timezone.now()
    return factories.user("old@example.com", email_verified_at=now, created_at=now - timedelta(days=8), **fields)


@pytest.mark.parametrize(
    ("days", "proved", "expected"), [(8, True, 5), (8, False, 2), (6, True, 2), (6, False, 2)], ids=str
)
def test_quota_is_stricter_for_new_and_for_unproved_accounts(limits, days, proved, expected):
    limits(listings=5, listings_new=2)
    now = timezone.now()
    user = factories.user(created_at=now - timedelta(days=days), email_verified_at=now if proved else None)
    assert quota(user, "listings") == expected


def test_listing_over_the_quota_is_refused_until_one_has_ended(as_user, seller, limits):
    limits(listings=3, listings_new=1)
    body = {"name": "Lamp", "category": factories.category().pk, "starting_bid": "5"}
    caller = as_user(seller)
    first = caller.post("/api/products/", body)
    refused = caller.post("/api/products/", body)
    assert (first.status_code, refused.status_code, refused.json()) == (
        201,
        409,
        {
            "code": "listing_quota_reached",
            "detail": "You have 1 open listings, which is the most for your account. Please wait until one has ended.",
            "limit": 1,
        },
    )
    assert Product.objects.count() == Auction.objects.count() == 1
    closing.close_auction(product_id=first.json()["id"], actor=seller)
    assert caller.post("/api/products/", body).status_code == 201
    member = as_user(established())
    assert [member.post("/api/products/", body).status_code for _ in range(4)] == [201, 201, 201, 409]


def test_relisting_over_the_quota_is_refused(as_user, seller, limits):
    product = factories.product(seller)
    closing.close_auction(product_id=product.pk, actor=seller)
    factories.product(seller)
    limits(listings_new=1)
    answer = as_user(seller).post(f"/api/products/{product.pk}/relist/", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "listing_quota_reached")
    assert Product.objects.count() == 2


def test_image_over_the_quota_of_thirty_days_is_refused_before_it_is_decoded(
    as_user, staff, seller, limits, monkeypatch
):
    limits(uploads=5, uploads_new=2)
    products = [factories.product(seller) for _ in range(2)]
    send = lambda user, product: as_user(user).post(url(product), upload_form(make_image()), format="multipart")  # noqa: E731
    assert [send(seller, product).status_code for product in products] == [201, 201]
    monkeypatch.setattr(image_processing, "encode", None)
    for user in (seller, staff):  # it is the seller's quota, also when staff upload
        answer = send(user, products[0])
        assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (409, "image_quota_reached", 2)
    monkeypatch.undo()
    ProductImage.objects.filter(product=products[0]).update(created_at=timezone.now() - timedelta(days=31))
    assert send(seller, products[0]).status_code == 201


def test_images_of_a_product_over_its_limit_are_refused_with_the_number(as_user, seller, limits):
    limits(images_per_product=1)
    product = factories.product(seller)
    send = lambda: as_user(seller).post(url(product), upload_form(make_image()), format="multipart")  # noqa: E731
    assert send().status_code == 201
    assert send().json() == {"code": "too_many_images", "detail": "A product can have at most 1 images.", "limit": 1}


@pytest.mark.parametrize(
    ("kind", "side", "status"), [("PNG", 3_400, 201), ("PNG", 3_500, 400), ("WEBP", 3_500, 400), ("JPEG", 5_000, 201)]
)
def test_image_may_have_more_pixels_where_decoding_is_cheap(as_user, seller, limits, kind, side, status):
    image = make_image(kind, (side, side), "L", 0)
    answer = as_user(seller).post(url(factories.product(seller)), upload_form(image), format="multipart")
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["errors"] == {"image": [f"A {kind} image can have at most 12 megapixels."]}


def test_image_while_another_is_decoded_waits_a_moment_then_answers_503(as_user, seller, limits, monkeypatch):
    product = factories.product(seller)
    monkeypatch.setattr(images, "_decoding", threading.Semaphore(0))
    send = lambda: as_user(seller).post(url(product), upload_form(make_image()), format="multipart")  # noqa: E731
    answer = send()
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    threading.Timer(0.02, images._decoding.release).start()
    assert send().status_code == 201
    assert send().status_code == 201  # released again

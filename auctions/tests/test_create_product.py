"""POST /api/products/."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from auctioncraft.models import IdempotencyKey
from auctions.models import Auction, AuctionEvent, Product
from auctions.product_fields import AMOUNTS
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/products/"


@pytest.fixture
def minimal(db):
    return {"name": "Lamp", "category": factories.category().pk, "starting_bid": 100.0}


def soon(**ago):
    return clock.isoformat_utc(clock.now() + timedelta(**ago))


def test_create_product_with_required_fields_uses_defaults(as_user, client, seller, minimal):
    answer = as_user(seller).post(URL, minimal)
    assert answer.status_code == 201
    product, auction = Product.objects.get(), Auction.objects.get()
    body = answer.json()
    assert body == {
        "id": product.pk,
        "name": "Lamp",
        "category": {"id": minimal["category"], "name": "Things", "slug": "things"},
        "seller": {"id": seller.pk, "display_name": seller.display_name},
        "currency": "USD",
        "starting_bid": "100.00",
        "current_price": None,
        "minimum_bid": "100.00",
        "bid_count": 0,
        "has_reserve": False,
        "reserve_met": False,
        "buy_now_price": None,
        "status": "open",
        "starts_at": clock.isoformat_utc(auction.starts_at),
        "ends_at": clock.isoformat_utc(auction.starts_at + timedelta(days=7)),
        "thumbnail": None,
        "watch_count": 0,
        "created_at": clock.isoformat_utc(product.created_at),
        "seq": 0,
        "server_time": body["server_time"],
        "description": "",
        "description_additions": [],
        "relisted_from": None,
        "shipping": "0.00",
        "images": [],
        "bids": [],
        "viewer": {
            "alias": product.alias_of(seller.pk),
            "is_leading": False,
            "my_maximum": None,
            "my_last_amount": None,
            "watching": False,
            "can_bid": False,
            "reason": "seller_cannot_bid",
            "second_chance": None,
        },
    }
    assert clock.now() - auction.starts_at < timedelta(seconds=60)
    assert (product.soft_close_window, product.soft_close_extension) == (120, 120)
    assert auction.hard_ends_at - auction.ends_at == timedelta(hours=24)
    assert client.get(f"{URL}{product.pk}/").status_code == 200


def test_create_product_with_all_fields_stores_them(as_user, seller, minimal):
    starts_at, ends_at = soon(days=1), soon(days=3)
    answer = as_user(seller).post(
        URL,
        {
            **minimal,
            "description": "Old and <b>bright</b>.",
            "currency": "gbp",
            "reserve_price": "250.5",
            "buy_now_price": 400,
            "bid_increment": "10",
            "shipping": "0",
            "starts_at": starts_at,
            "ends_at": ends_at,
            "soft_close_window": 0,
            "soft_close_extension": 300,
        },
    )
    assert answer.status_code == 201
    body = answer.json()
    assert {key: body[key] for key in ("description", "currency", "has_reserve", "status", "starts_at", "ends_at")} == {
        "description": "Old and <b>bright</b>.",
        "currency": "GBP",
        "has_reserve": True,
        "status": "scheduled",
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    product = Product.objects.get()
    assert (product.reserve_price, product.buy_now_price, product.bid_increment) == (Decimal("250.5"), 400, 10)
    assert product.increments == [["0", "10.00"]]
    assert (product.soft_close_window, product.soft_close_extension, product.shipping) == (0, 300, 0)


def test_create_product_with_null_uses_defaults(as_user, seller, minimal):
    optional = ("reserve_price", "buy_now_price", "bid_increment", "shipping", "starts_at", "ends_at")
    answer = as_user(seller).post(URL, {**minimal, **dict.fromkeys(optional), "soft_close_window": None})
    assert (answer.status_code, answer.json()["shipping"], Product.objects.get().soft_close_window) == (
        201,
        "0.00",
        120,
    )


def test_create_product_ignores_other_fields(as_user, seller, rival, minimal):
    answer = as_user(seller).post(
        URL,
        {
            **minimal,
            "id": 4242,
            "seller": rival.pk,
            "seller_id": rival.pk,
            "price": "1",
            "current_price": "1",
            "status": "sold",
            "winner": seller.pk,
            "leader": seller.pk,
            "bid_count": 99,
            "seq": 7,
            "version": 7,
            "watch_count": 5,
            "alias_salt": "known",
            "increments": [["0", "0.01"]],
            "hard_ends_at": "2099-01-01T00:00:00Z",
            "thumbnail": "/etc/passwd",
            "created_at": "2001-01-01T00:00:00Z",
            "is_staff": True,
        },
    )
    body, product, auction = answer.json(), Product.objects.get(), Auction.objects.get()
    assert answer.status_code == 201
    assert (body["seller"]["id"], body["status"], body["bid_count"], body["seq"]) == (seller.pk, "open", 0, 0)
    assert (product.pk == 4242, product.thumbnail.name, product.watch_count) == (False, "", 0)
    assert product.alias_salt != "known"
    assert product.increments[-1] == ["5000", "100"]
    assert (auction.leader, auction.winner, auction.price, auction.version) == (None, None, None, 0)


@pytest.mark.parametrize("field", AMOUNTS)
def test_create_product_with_invalid_amount_is_refused(as_user, seller, minimal, field):
    amounts = {"starting_bid": "100", field: "NaN"}
    text = ", ".join(f'"{key}": {value}' for key, value in amounts.items())
    body = f'{{"name": "Lamp", "category": {minimal["category"]}, {text}}}'
    answer = as_user(seller).generic("POST", URL, body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not Product.objects.exists()


# One value per field that its parser refuses (tests/test_api_fields.py has the others), and all that the service does.
INVALID = [
    *[("name", ""), ("description", "a" * 20_001), ("category", "abc"), ("currency", 5)],
    *[("shipping", -1), ("ends_at", "tomorrow"), ("starts_at", [])],
    *[("soft_close_window", 86_401), ("soft_close_extension", -1)],
    ("category", 999_999),
    *[("currency", value) for value in ("XXX", "US", "dollars", "", "BTC", "US\u212a")],
    *[("starting_bid", value) for value in (None, "1.005", 99_999_999.01)],
    *[("buy_now_price", value) for value in ("99.99", "100")],
    *[("ends_at", value) for value in ("2001-01-01T00:00:00Z", "2090-01-01T00:00:00Z")],
    ("starts_at", "2001-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("field", "value"), INVALID, ids=lambda value: str(value)[:26])
def test_create_product_with_invalid_field_is_refused(as_user, seller, minimal, field, value):
    answer = as_user(seller).post(URL, {**minimal, field: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["errors"]) == [field]
    assert not Product.objects.exists()


@pytest.mark.parametrize("field", ["name", "category", "starting_bid"])
def test_create_product_without_required_field_is_refused(as_user, seller, minimal, field):
    del minimal[field]
    answer = as_user(seller).post(URL, minimal)
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "invalid",
        "detail": "The input is not valid.",
        "errors": {field: ["This field is required."]},
    }


def test_create_product_that_ends_before_its_start_is_refused(as_user, seller, minimal):
    at = soon(days=2)
    answer = as_user(seller).post(URL, {**minimal, "starts_at": at, "ends_at": at})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"ends_at": ["The end must be after the start."]})


def test_create_product_with_start_a_moment_ago_starts_now(as_user, seller, minimal):
    answer = as_user(seller).post(URL, {**minimal, "starts_at": soon(seconds=-30)})
    assert (answer.status_code, answer.json()["status"]) == (201, "open")
    assert as_user(seller).post(URL, {**minimal, "starts_at": soon(minutes=-6)}).status_code == 400


def test_create_product_reads_times_of_any_offset_and_utc_without(as_user, seller, minimal):
    day = (datetime.now(UTC) + timedelta(days=5)).date()
    for text, expected in ((f"{day}T14:00:00+02:00", f"{day}T12:00:00Z"), (f"{day}T12:00:00", f"{day}T12:00:00Z")):
        answer = as_user(seller).post(URL, {**minimal, "ends_at": text})
        assert (answer.status_code, answer.json()["ends_at"]) == (201, expected)


def test_create_product_with_buy_now_below_reserve_is_refused(as_user, seller, minimal):
    answer = as_user(seller).post(URL, {**minimal, "reserve_price": "500", "buy_now_price": "499.99"})
    assert answer.json()["errors"] == {"buy_now_price": ["The buy-now price must not be below the reserve price."]}


def test_create_product_stores_the_increment_table(as_user, seller, minimal):
    as_user(seller).post(URL, {**minimal, "currency": "JPY"})
    assert Product.objects.get().increments[0] == ["0", "5.00"]
    assert as_user(seller).post(URL, {**minimal, "currency": "JPY", "starting_bid": "100.5"}).status_code == 400


def test_create_product_returns_markup_in_a_name_as_text(as_user, seller, minimal):
    name = "<script>alert('x')</script> & \"quotes\" 🎉"
    assert as_user(seller).post(URL, {**minimal, "name": name}).json()["name"] == name


def test_create_product_without_token_is_refused(client, minimal):
    answer = client.post(URL, minimal)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_create_product_records_no_event(as_user, seller, minimal):
    as_user(seller).post(URL, minimal)
    assert not AuctionEvent.objects.exists()


def test_create_product_repeated_with_the_same_key_creates_one(as_user, seller, rival, minimal):
    key = {"headers": {"Idempotency-Key": "one"}}
    first = as_user(seller).post(URL, minimal, **key)
    again = as_user(seller).post(URL, {**minimal, "starting_bid": "100"}, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Product.objects.count() == 1
    other = as_user(seller).post(URL, {**minimal, "name": "Another"}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert as_user(rival).post(URL, minimal, **key).status_code == 201
    assert Product.objects.count() == 2


def test_create_product_refused_does_not_use_up_its_key(as_user, seller, minimal):
    key = {"headers": {"Idempotency-Key": "one"}}
    assert as_user(seller).post(URL, {**minimal, "category": 999_999}, **key).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert as_user(seller).post(URL, minimal, **key).status_code == 201


@pytest.mark.parametrize("key", ["k" * 256, "a\tb"])
def test_create_product_with_invalid_key_is_refused(as_user, seller, minimal, key):
    answer = as_user(seller).post(URL, minimal, headers={"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["idempotency_key"])
    assert as_user(seller).post(URL, minimal, headers={"Idempotency-Key": "k" * 255}).status_code == 201

"""PATCH /api/products/{id}/ with invalid input."""

from datetime import timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from auctions.product_fields import AMOUNTS
from auctions.tests.test_create_product import INVALID
from tests import factories
from tests.db_snapshot import assert_nothing_written

pytestmark = pytest.mark.django_db


def url(product):
    return f"/api/products/{product.pk}/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("field", AMOUNTS)
def test_edit_product_with_invalid_amount_is_refused(as_user, seller, field):
    product, caller = factories.product(seller), as_user(seller)
    with assert_nothing_written():
        answer = caller.generic("PATCH", url(product), f'{{"{field}": NaN}}', content_type="application/json")
    assert refusal(answer) == (400, "invalid")


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, value in INVALID if field != "buy_now_price"],
    ids=lambda value: str(value)[:26],
)
def test_edit_product_with_invalid_field_is_refused(as_user, seller, field, value):
    product, caller = factories.product(seller), as_user(seller)
    with assert_nothing_written():
        answer = caller.patch(url(product), {field: value})
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", [field])


@pytest.mark.parametrize(
    ("listed", "body", "errors"),
    [
        (
            {"buy_now_price": Decimal(50)},
            {"starting_bid": "50"},
            {"buy_now_price": ["The buy-now price must be above the starting bid."]},
        ),
        (
            {"buy_now_price": Decimal(50)},
            {"reserve_price": "50.01"},
            {"buy_now_price": ["The buy-now price must not be below the reserve price."]},
        ),
        (
            {"reserve_price": Decimal(50)},
            {"buy_now_price": "49"},
            {"buy_now_price": ["The buy-now price must not be below the reserve price."]},
        ),
        ({"shipping": Decimal("4.5")}, {"currency": "JPY"}, {"shipping": ["JPY has no decimals."]}),
        ({"starting_bid": "1.50"}, {"currency": "JPY"}, {"starting_bid": ["JPY has no decimals."]}),
        ({"bid_increment": Decimal("0.5")}, {"currency": "JPY"}, {"bid_increment": ["JPY has no decimals."]}),
    ],
)
def test_edit_product_is_checked_with_the_unchanged_values(as_user, seller, listed, body, errors):
    product, caller = factories.product(seller, **listed), as_user(seller)
    with assert_nothing_written():
        answer = caller.patch(url(product), body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (
        400,
        "invalid",
        list(errors),
    )


def test_edit_product_with_time_in_the_past_is_refused(as_user, seller):
    product, caller = factories.product(seller), as_user(seller)
    past = clock.isoformat_utc(clock.now() - timedelta(minutes=6))
    with assert_nothing_written():
        for field in ("starts_at", "ends_at"):
            answer = caller.patch(url(product), {field: past})
            assert answer.status_code == 400
            assert list(answer.json()["errors"]) == [field]


def test_edit_product_with_start_after_the_end_is_refused(as_user, seller):
    product, caller = factories.product(seller), as_user(seller)
    with assert_nothing_written():
        answer = caller.patch(url(product), {"starts_at": clock.isoformat_utc(product.auction.ends_at)})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"ends_at": ["The end must be after the start."]})

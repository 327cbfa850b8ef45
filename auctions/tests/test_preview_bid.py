"""POST /api/products/{id}/bids/preview/."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from auctions.services import closing
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written

pytestmark = pytest.mark.django_db


def url(product):
    return f"/api/products/{product.pk}/bids/preview/"


def without_time(answer):
    """Return the body without the time."""
    assert answer.status_code == 200
    return {**answer.json(), "server_time": ""}


def test_preview_returns_the_highest_cost(as_user, seller, bidder, rival, settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(20)), (Decimal(50), Decimal(10)))
    product = factories.product(seller, shipping=Decimal("4.5"), currency="EUR")
    auction_helpers.bid(product, rival, "10", max_amount="30")
    caller = as_user(bidder)
    with assert_nothing_written():
        answer = caller.post(url(product), {"amount": "20", "max_amount": "80"})
    assert answer.status_code == 200
    assert answer.json() == {
        "acceptable": True,
        "code": None,
        "detail": None,
        "minimum_bid": "10.50",
        "at_most": {
            "hammer_price": "80.00",
            "buyers_premium": "13.00",
            "shipping": "4.50",
            "total": "97.50",
        },
        "currency": "EUR",
        "server_time": answer.json()["server_time"],
    }
    assert answer.json()["server_time"].endswith("Z")


def test_preview_of_a_refused_bid_returns_code_and_cost(as_user, seller, bidder, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "10")
    answer = as_user(bidder).post(url(product), {"amount": "10.49"})
    assert without_time(answer) == {
        "acceptable": False,
        "code": "bid_too_low",
        "detail": "Your bid is below the minimum bid.",
        "minimum_bid": "10.50",
        "at_most": {
            "hammer_price": "10.49",
            "buyers_premium": "0.00",
            "shipping": "0.00",
            "total": "10.49",
        },
        "currency": "USD",
        "server_time": "",
    }


@pytest.mark.parametrize(
    "body", [{"amount": "50"}, {"max_amount": "50"}, {"amount": "10.50", "max_amount": "50"}], ids=str
)
def test_preview_does_not_depend_on_hidden_maximum_or_reserve(as_user, seller, bidder, rival, body):
    caller, answers = as_user(bidder), []
    for most, reserve in (("10", None), ("30", None), ("49.99", None), ("50", None), ("5000", None), ("10", "9")):
        product = factories.product(seller, reserve_price=reserve and Decimal(reserve))
        auction_helpers.bid(product, rival, "10", max_amount=most)
        answers.append(without_time(caller.post(url(product), body)))
    assert answers == answers[:1] * 6
    reserves = []
    for reserve in ("10.01", "20", "50", "50.01", "900"):
        product = factories.product(seller, reserve_price=Decimal(reserve))
        auction_helpers.bid(product, rival, "10")
        reserves.append(without_time(caller.post(url(product), body)))
    assert reserves == answers[:1] * 5


def test_preview_by_leader_requires_a_higher_maximum(as_user, seller, bidder):
    product, caller = factories.product(seller), as_user(bidder)
    auction_helpers.bid(product, bidder, "10", max_amount="30")
    with assert_nothing_written():
        same, more = (caller.post(url(product), {"max_amount": most}).json() for most in ("30", "30.01"))
    assert (same["acceptable"], same["code"], more["acceptable"]) == (False, "maximum_not_raised", True)


@pytest.mark.parametrize(
    "how", ["seller", "scheduled", "ended", "closed", "suspended", "too low", "leader", "suspended and too low", "good"]
)
def test_preview_agrees_with_the_bid(as_user, seller, bidder, rival, how):
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "10", max_amount="30")
    who = {"seller": seller, "leader": rival}.get(how, bidder)
    if how == "scheduled":
        auction_helpers.move_start_to_tomorrow(product)
    elif how == "ended":
        auction_helpers.move_end_to_past(product, timedelta(0))
    elif how == "closed":
        closing.close_auction(product_id=product.pk, actor=seller)
    elif how.startswith("suspended"):
        User.objects.filter(pk=bidder.pk).update(strikes=3)
    caller, body = as_user(who), {"amount": "10.49" if "low" in how else "12"}
    preview = caller.post(url(product), body).json()
    answer = caller.post(f"/api/products/{product.pk}/bids/", body)
    assert preview["acceptable"] is (answer.status_code == 201) is (how == "good")
    assert (preview["code"], preview["detail"]) == (answer.json().get("code"), answer.json().get("detail"))


@pytest.mark.parametrize("amount", ["NaN", '"12 "'])
def test_preview_with_invalid_amount_is_refused(as_user, seller, bidder, amount):
    product, caller = factories.product(seller), as_user(bidder)
    body = f'{{"amount": {amount}}}'
    answer = caller.generic("POST", url(product), body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "amount"), ({"amount": "9", "max_amount": "8"}, "max_amount"), ({"max_amount": "1.005"}, "max_amount")],
)
def test_preview_refusal_names_the_field(as_user, seller, bidder, body, field):
    answer = as_user(bidder).post(url(factories.product(seller)), body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_preview_in_yen_has_no_decimals(as_user, seller, bidder):
    product = factories.product(seller, starting_bid="100", currency="JPY", shipping=Decimal(300))
    answer = as_user(bidder).post(url(product), {"amount": 150.0}).json()
    assert answer["at_most"] == {
        "hammer_price": "150",
        "buyers_premium": "0",
        "shipping": "300",
        "total": "450",
    }


def test_preview_without_token_or_product_is_refused(as_user, client, seller, bidder):
    assert client.post(url(factories.product(seller)), {"amount": "9"}).status_code == 401
    assert as_user(bidder).post("/api/products/999999/bids/preview/", {"amount": "9"}).status_code == 404


@pytest.mark.parametrize("how", ["disabled", "password changed"])
def test_preview_with_ended_session_is_refused(as_user, seller, bidder, how):
    product, caller = factories.product(seller), as_user(bidder)
    if how == "disabled":
        User.objects.filter(pk=bidder.pk).update(is_active=False)
    else:
        bidder.set_password("another one entirely")
        bidder.save()
    assert caller.post(url(product), {"amount": "9"}).status_code == 401


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_preview_with_another_method_is_not_allowed(as_user, seller, bidder, method):
    assert getattr(as_user(bidder), method)(url(factories.product(seller))).status_code == 405


def test_preview_needs_few_queries(as_user, seller, bidder, django_assert_max_num_queries):
    product, caller = factories.product(seller), as_user(bidder)
    with django_assert_max_num_queries(4):
        caller.post(url(product), {"amount": "9"})

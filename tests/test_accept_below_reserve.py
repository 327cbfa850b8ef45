from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox
from auctions.services import closing, relisting
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db

NOT_ACCEPTABLE = (409, "reserve_not_acceptable")


def url(product):
    return f"/api/products/{product.pk}/accept_below_reserve/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def product(seller, bidder):
    """An auction that ended at 80 below its reserve of 100."""
    product = factories.product(seller, reserve_price=Decimal(100), shipping=Decimal(5))
    auction_helpers.bid(product, bidder, "60", max_amount="80")
    closing.close_auction(product_id=product.pk, actor=seller)
    return product


def test_accept_below_reserve_by_seller_sells_to_leader_at_final_price(as_user, client, seller, bidder, product):
    closed_at = Auction.objects.get().closed_at
    assert not Order.objects.exists()
    answer = as_user(seller).post(url(product))
    auction = Auction.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "result": "sold",
        "winner": {"id": bidder.pk, "display_name": bidder.display_name},
        "final_price": "80.00",
        "currency": "USD",
        "closed_at": clock.isoformat_utc(closed_at),
        "server_time": answer.json()["server_time"],
    }
    assert (auction.status, auction.result, auction.sale_type, auction.winner, auction.hammer_price) == (
        "sold",
        "sold",
        "below_reserve",
        bidder,
        80,
    )
    event = AuctionEvent.objects.get(seq=3)
    assert event.kind == "reserve_waived"
    assert event.data == {"final_price": "80.00", "currency": "USD", "winner": product.alias_of(bidder.pk)}
    assert event.private == {
        "winner": bidder.pk,
        "seller": seller.pk,
        "terms": {"currency": "USD", "shipping": "5.00", "premium_bands": []},
    }
    assert list(EventOutbox.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    order = Order.objects.get()
    assert (order.buyer, order.total, order.created_at, order.due_at) == (
        bidder,
        85,
        event.created_at,
        event.created_at + timedelta(hours=96),
    )
    assert client.get(f"/api/products/{product.pk}/").json()["status"] == "sold"
    assert broken_invariants() == []


def test_closed_event_with_reserve_not_met_hides_leader_and_price(client, product):
    event = client.get(f"/api/products/{product.pk}/events/?after=1").json()["results"][0]
    assert event["data"] == {
        "result": "reserve_not_met",
        "final_price": None,
        "currency": "USD",
        "winner": None,
        "by": "seller",
    }


def test_accept_below_reserve_after_48_hours_is_refused(as_user, seller, product):
    caller = as_user(seller)
    advance_time(product, hours=48)
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "reserve_not_acceptable",
        "detail": "There is no price below the reserve to accept, or the 48 hours to accept it are over.",
    }
    advance_time(product, minutes=-1)
    assert caller.post(url(product)).status_code == 200


def test_accept_below_reserve_48_hours_start_at_the_close(as_user, seller, bidder):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, bidder, "60")
    auction_helpers.move_end_to_past(product, timedelta(days=3))
    closing.close_due()
    assert as_user(seller).post(url(product)).json()["final_price"] == "60.00"


def test_accept_below_reserve_twice_is_refused(as_user, seller, product):
    caller = as_user(seller)
    caller.post(url(product))
    with assert_nothing_written():
        assert refusal(caller.post(url(product))) == NOT_ACCEPTABLE


@pytest.mark.parametrize("how", ["nobody bid", "reserve met", "no reserve", "cancelled", "open", "ended", "relisted"])
def test_accept_below_reserve_without_a_price_below_reserve_is_refused(as_user, seller, bidder, staff, how):
    product = factories.product(seller, reserve_price=None if how == "no reserve" else Decimal(100))
    caller = as_user(seller)
    if how != "nobody bid":
        auction_helpers.bid(product, bidder, "200" if how == "reserve met" else "50")
    if how == "ended":
        auction_helpers.move_end_to_past(product)
    elif how == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    elif how != "open":
        closing.close_auction(product_id=product.pk, actor=seller)
    if how == "relisted":
        relisting.relist(product_id=product.pk, actor=seller, changes={})
    with assert_nothing_written():
        assert refusal(caller.post(url(product))) == NOT_ACCEPTABLE


@pytest.mark.parametrize("who", ["staff", "bidder", "rival"])
def test_accept_below_reserve_by_others_answers_403(request, as_user, product, who):
    caller = as_user(request.getfixturevalue(who))
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert answer.status_code == 403
    assert answer.json() == {
        "code": "permission_denied",
        "detail": "Only the seller may accept a price below the reserve.",
    }


def test_accept_below_reserve_by_seller_who_is_staff_is_accepted(as_user, seller, product):
    User.objects.filter(pk=seller.pk).update(is_staff=True)
    assert as_user(seller).post(url(product)).status_code == 200


def test_accept_below_reserve_without_token_or_product_answers_401_or_404(as_user, client, seller, product):
    assert refusal(client.post(url(product))) == (401, "not_authenticated")
    assert refusal(as_user(seller).post("/api/products/999999/accept_below_reserve/")) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_accept_below_reserve_with_other_methods_answers_405(as_user, seller, product, method):
    assert getattr(as_user(seller), method)(url(product)).status_code == 405


def test_accept_below_reserve_with_same_key_repeats_the_answer(as_user, seller, product):
    caller, key = as_user(seller), {"headers": {"Idempotency-Key": "one"}}
    first = caller.post(url(product), **key)
    with assert_nothing_written():
        again = caller.post(url(product), **key)
    assert (first.status_code, again.status_code, first.json()) == (200, 200, again.json())

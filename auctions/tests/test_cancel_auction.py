"""POST /api/products/{id}/cancel/."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox
from auctions.services import closing, voiding
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db


REASON = {"reason": "Stolen goods."}


def url(product):
    return f"/api/products/{product.pk}/cancel/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def test_cancel_by_seller_without_bids_cancels(as_user, client, seller):
    product = factories.product(seller)
    answer = as_user(seller).post(url(product))
    auction = Auction.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "result": "cancelled",
        "winner": None,
        "final_price": None,
        "currency": "USD",
        "closed_at": clock.isoformat_utc(auction.closed_at),
        "server_time": answer.json()["server_time"],
    }
    assert (auction.status, auction.result, auction.sale_type, auction.winner, auction.seq) == (
        "cancelled",
        "cancelled",
        "",
        None,
        1,
    )
    event = AuctionEvent.objects.get()
    assert (event.seq, event.kind, event.data, event.private, event.created_at) == (
        1,
        "cancelled",
        {"by": "seller"},
        {"actor": seller.pk},
        auction.closed_at,
    )
    assert list(EventOutbox.objects.values_list("product_id", "seq")) == [(product.pk, 1)]
    assert client.get(f"/api/products/{product.pk}/").json()["status"] == "cancelled"
    assert broken_invariants() == []


def test_cancel_by_staff_with_bids_leaves_no_winner(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5", max_amount="9")
    assert as_user(staff).post(url(product), REASON).json()["result"] == "cancelled"
    auction = Auction.objects.get()
    assert (auction.status, auction.winner, auction.hammer_price) == ("cancelled", None, None)
    assert (auction.leader, auction.price, auction.leader_max, auction.bid_count) == (bidder, 5, 9, 1)
    event = AuctionEvent.objects.get(seq=2)
    assert (event.kind, event.data, event.private) == (
        "cancelled",
        {"by": "staff"},
        {"actor": staff.pk, "reason": "Stolen goods."},
    )
    assert broken_invariants() == []


def test_cancel_by_seller_with_bids_is_refused(as_user, seller, bidder):
    product, caller = factories.product(seller, reserve_price=Decimal(50)), as_user(seller)
    auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "auction_has_bids",
        "detail": "This auction has bids: only our staff can call it off.",
    }
    auction_helpers.move_end_to_past(product)
    with assert_nothing_written():
        assert refusal(caller.post(url(product))) == (409, "auction_has_bids")


def test_cancel_by_seller_with_only_voided_bids_cancels(as_user, seller, bidder, staff):
    product = factories.product(seller)
    made = auction_helpers.bid(product, bidder, "5")
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="By mistake.")
    assert as_user(seller).post(url(product)).json()["result"] == "cancelled"


def test_cancel_by_seller_who_is_staff_is_refused_as_any_seller(as_user, seller, bidder):
    User.objects.filter(pk=seller.pk).update(is_staff=True)
    product, caller = factories.product(seller), as_user(seller)
    auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        assert refusal(caller.post(url(product), REASON)) == (409, "auction_has_bids")


@pytest.mark.parametrize("state", ["scheduled", "ended"])
@pytest.mark.parametrize("who", ["seller", "staff"])
def test_cancel_before_the_start_or_after_the_end_cancels(request, as_user, seller, state, who):
    product = factories.product(seller)
    (auction_helpers.move_start_to_tomorrow if state == "scheduled" else auction_helpers.move_end_to_past)(product)
    assert as_user(request.getfixturevalue(who)).post(url(product), REASON).json()["result"] == "cancelled"


def test_cancel_of_a_closed_auction_is_refused(as_user, seller, bidder, staff):
    sold, unsold, cancelled = (factories.product(seller) for _ in range(3))
    auction_helpers.bid(sold, bidder, "5")
    for product in (sold, unsold):
        closing.close_auction(product_id=product.pk, actor=seller)
    closing.cancel_auction(product_id=cancelled.pk, actor=seller)
    callers = [as_user(seller), as_user(staff)]
    with assert_nothing_written():
        for product in (sold, unsold, cancelled):
            for caller in callers:
                answer = caller.post(url(product))
                assert answer.status_code == 409
                assert answer.json() == {
                    "code": "auction_already_closed",
                    "detail": "This auction is already closed.",
                }


def test_cancelled_auction_accepts_nothing(as_user, seller, bidder):
    product, bids, sells = factories.product(seller, buy_now_price=Decimal(9)), as_user(bidder), as_user(seller)
    closing.cancel_auction(product_id=product.pk, actor=seller)
    address = f"/api/products/{product.pk}/"
    with assert_nothing_written():
        assert refusal(bids.post(f"{address}bids/", {"amount": "9"})) == (409, "auction_not_open")
        assert refusal(bids.post(f"{address}buy_now/", {"price": "9"})) == (409, "auction_not_open")
        assert refusal(sells.post(f"{address}close_auction/")) == (409, "auction_already_closed")
        assert refusal(sells.post(f"{address}accept_below_reserve/")) == (409, "reserve_not_acceptable")
        assert refusal(sells.post(f"{address}relist/")) == (409, "not_relistable")
        assert refusal(sells.post(f"{address}offer_second_chance/")) == (409, "second_chance_unavailable")
    auction_helpers.move_end_to_past(product, timedelta(days=9))
    assert closing.close_due() == 0


@pytest.mark.parametrize("closed", [False, True])
def test_cancel_by_another_user_is_refused_whatever_the_state(as_user, seller, bidder, rival, closed):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    if closed:
        closing.close_auction(product_id=product.pk, actor=seller)
    callers = [as_user(bidder), as_user(rival)]
    with assert_nothing_written():
        for caller in callers:
            answer = caller.post(url(product))
            assert answer.status_code == 403
            assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_cancel_without_token_or_product_is_refused(as_user, client, seller):
    assert refusal(client.post(url(factories.product(seller)))) == (401, "not_authenticated")
    assert refusal(as_user(seller).post("/api/products/999999/cancel/")) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_cancel_with_another_method_is_not_allowed(as_user, seller, method):
    assert getattr(as_user(seller), method)(url(factories.product(seller))).status_code == 405

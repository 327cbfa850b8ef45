"""POST /api/products/{id}/bids/{id}/void/."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, EventOutbox
from auctions.services import closing, voiding
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]

REASON = {"reason": "The account was stolen."}


def url(product, made):
    bid_id = made["bid"]["id"] if isinstance(made, dict) else made
    return f"/api/products/{product.pk}/bids/{bid_id}/void/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def void(product, made, staff):
    return voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="No.")


def auction_state():
    auction = Auction.objects.get()
    return auction.leader, auction.price, auction.leader_max, auction.bid_count


def test_void_recomputes_the_auction_without_the_bid(as_user, client, seller, bidder, rival, staff):
    product = factories.product(seller, reserve_price=Decimal(30))
    auction_helpers.bid(product, bidder, "5", max_amount="20")
    voided = auction_helpers.bid(product, rival, max_amount="60")
    bid = Bid.objects.get(pk=voided["bid"]["id"])
    rows_before, auction = list(Bid.objects.values()), Auction.objects.get()
    assert auction_state() == (rival, 30, 60, 2)
    answer = as_user(staff).post(url(product, voided), REASON)
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "current_price": "20.00",
        "minimum_bid": "20.50",
        "bid_count": 1,
        "reserve_met": False,
        "currency": "USD",
        "ends_at": clock.isoformat_utc(auction.ends_at),
        "seq": 3,
        "server_time": answer.json()["server_time"],
    }
    after = Auction.objects.get()
    assert auction_state() == (bidder, 20, 20, 1)
    assert (after.ends_at, after.hard_ends_at, after.last_bid_at, after.status, after.seq) == (
        auction.ends_at,
        auction.hard_ends_at,
        auction.last_bid_at,
        "open",
        3,
    )
    assert list(Bid.objects.values()) == rows_before
    event = AuctionEvent.objects.get(seq=3)
    assert event.kind == "bid_voided"
    assert event.data == {
        "bidder": product.alias_of(rival.pk),
        "leader": product.alias_of(bidder.pk),
        "amount": "30.00",
        "bid_seq": 2,
        "bid_seqs": [2],
        "currency": "USD",
        "current_price": "20.00",
        "minimum_bid": "20.50",
        "bid_count": 1,
        "reserve_met": False,
        "ends_at": clock.isoformat_utc(auction.ends_at),
    }
    assert event.private == {
        "bidder": rival.pk,
        "leader": bidder.pk,
        "former_leader": rival.pk,
        "reason": "The account was stolen.",
        "actor": staff.pk,
    }
    assert BidVoid.objects.values().get() == {
        "bid_id": bid.pk,
        "product_id": product.pk,
        "version": after.version,
        "reason": "The account was stolen.",
        "voided_by_id": staff.pk,
        "voided_at": event.created_at,
    }
    assert list(EventOutbox.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    rows = client.get(f"/api/products/{product.pk}/bids/").json()["results"]
    assert [(row["seq"], row["amount"], row["automatic"], row["voided"]) for row in rows] == [
        (2, "30.00", False, True),
        (1, "20.00", False, False),
    ]
    assert broken_invariants() == []


def test_void_of_the_only_bid_leaves_no_price(as_user, client, seller, bidder, staff):
    product = factories.product(seller, starting_bid="10")
    made = auction_helpers.bid(product, bidder, "50")
    answer = as_user(staff).post(url(product, made), REASON).json()
    assert (answer["current_price"], answer["minimum_bid"], answer["bid_count"], answer["reserve_met"]) == (
        None,
        "10.00",
        0,
        False,
    )
    assert auction_state() == (None, None, None, 0)
    data = AuctionEvent.objects.get(seq=2).data
    assert (data["leader"], data["current_price"], data["minimum_bid"]) == (None, None, "10.00")
    shown = client.get(f"/api/products/{product.pk}/").json()
    assert (shown["current_price"], shown["bid_count"], [row["voided"] for row in shown["bids"]]) == (None, 0, [True])
    assert broken_invariants() == []


def test_void_lets_bidding_continue_at_the_new_price(seller, bidder, rival, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    void(product, auction_helpers.bid(product, rival, max_amount="500"), staff)
    again = auction_helpers.bid(product, rival, "5.50")
    assert (again["outcome"], again["product"]["current_price"], again["product"]["bid_count"]) == (
        "leading",
        "5.50",
        2,
    )
    assert broken_invariants() == []


def test_void_of_an_outbid_bid_lowers_the_price(seller, bidder, rival, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="100")
    made = auction_helpers.bid(product, rival, max_amount="60")
    assert auction_state() == (bidder, 61, 100, 2)
    void(product, made, staff)
    assert auction_state() == (bidder, 1, 100, 1)
    event = AuctionEvent.objects.get(seq=3)
    assert (event.data["amount"], event.data["bid_seq"]) == ("60.00", 2)
    assert (event.private["leader"], event.private["former_leader"]) == (bidder.pk, bidder.pk)
    assert broken_invariants() == []


def test_void_with_equal_maxima_leaves_the_earlier_leading(seller, bidder, rival, staff):
    third = factories.user("third@example.com")
    product = factories.product(seller)
    first = auction_helpers.bid(product, bidder, max_amount="50")
    auction_helpers.bid(product, rival, max_amount="50")
    auction_helpers.bid(product, third, max_amount="60")
    assert auction_state() == (third, 51, 60, 3)
    void(product, first, staff)
    assert auction_state() == (third, 51, 60, 2)
    void(product, {"bid": {"id": Bid.objects.get(max_amount=60).pk}}, staff)
    assert auction_state() == (rival, 1, 50, 1)
    assert broken_invariants() == []


def test_void_of_a_raised_maximum_reveals_no_amount(client, seller, bidder, rival, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    made = auction_helpers.bid(product, bidder, max_amount="77.77")
    void(product, made, staff)
    assert auction_state() == (bidder, 5, 5, 1)
    data = AuctionEvent.objects.get(seq=2).data
    assert (data["amount"], data["bid_seq"], data["current_price"]) == (None, None, "5.00")
    for path in ("", "bids/", "events/"):
        assert "77.77" not in client.get(f"/api/products/{product.pk}/{path}").content.decode()
    assert broken_invariants() == []


def test_void_makes_a_bid_below_the_new_minimum_ineffective(seller, bidder, rival, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="20")
    made = auction_helpers.bid(product, rival, max_amount="30")
    auction_helpers.bid(product, bidder, max_amount="25")  # outbid; alone it would only raise a maximum
    void(product, made, staff)
    assert auction_state() == (bidder, 1, 25, 1)
    assert broken_invariants() == []


def test_void_keeps_the_extended_end(seller, bidder, staff):
    product = factories.product(seller, ends_at=timezone.now() + timedelta(seconds=60))
    made = auction_helpers.bid(product, bidder, "5")
    moved = Auction.objects.get().ends_at
    assert moved > product.auction.ends_at
    assert void(product, made, staff).ends_at == moved == Auction.objects.get().ends_at
    assert broken_invariants() == []


def test_void_of_every_bid_leaves_no_price(seller, bidder, rival, staff):
    product = factories.product(seller)
    made = [auction_helpers.bid(product, (bidder, rival)[n % 2], str(10 * (n + 1))) for n in range(5)]
    for n in (4, 0, 2, 3):
        void(product, made[n], staff)
    assert auction_state() == (rival, 20, 20, 1)
    assert (Auction.objects.get().seq, BidVoid.objects.count(), Bid.objects.count()) == (9, 4, 5)
    assert broken_invariants() == []


def test_void_is_reflected_in_the_viewer(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5", max_amount="9")
    void(product, auction_helpers.bid(product, bidder, max_amount="40"), staff)
    viewer = as_user(bidder).get(f"/api/products/{product.pk}/").json()["viewer"]
    assert (viewer["is_leading"], viewer["my_maximum"], viewer["my_last_amount"]) == (True, "9.00", "5.00")


def test_void_after_the_end_before_the_close_recomputes(as_user, seller, bidder, rival, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    made = auction_helpers.bid(product, rival, "50")
    auction_helpers.move_end_to_past(product)
    assert as_user(staff).post(url(product, made), REASON).status_code == 200
    closing.close_due()
    auction = Auction.objects.get()
    assert (auction.winner, auction.hammer_price) == (bidder, 5)


@pytest.mark.parametrize("state", ["sold", "unsold", "cancelled"])
def test_void_after_the_close_is_refused(as_user, seller, bidder, staff, state):
    product = factories.product(seller, reserve_price=Decimal(50) if state == "unsold" else None)
    made, caller = auction_helpers.bid(product, bidder, "5"), as_user(staff)
    if state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    else:
        closing.close_auction(product_id=product.pk, actor=seller)
    with assert_nothing_written():
        answer = caller.post(url(product, made), REASON)
    assert answer.status_code == 409
    assert answer.json() == {"code": "auction_already_closed", "detail": "This auction is already closed."}


def test_void_of_a_voided_bid_is_refused(as_user, seller, bidder, staff):
    product, caller = factories.product(seller), as_user(staff)
    made = auction_helpers.bid(product, bidder, "5")
    caller.post(url(product, made), REASON)
    with assert_nothing_written():
        answer = caller.post(url(product, made), REASON)
    assert answer.status_code == 409
    assert answer.json() == {"code": "bid_already_voided", "detail": "This bid is already void."}


@pytest.mark.parametrize("who", ["seller", "bidder"])
def test_void_by_non_staff_is_refused_whatever_the_bid(request, as_user, seller, bidder, who):
    product, caller = factories.product(seller), as_user(request.getfixturevalue(who))
    made = auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        for bid in (made, uuid4()):
            answer = caller.post(url(product, bid), REASON)
            assert answer.status_code == 403
            assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_void_of_a_proxy_bid_or_another_products_is_not_found(as_user, client, seller, bidder, rival, staff):
    product, other, caller = factories.product(seller), factories.product(seller), as_user(staff)
    auction_helpers.bid(product, bidder, max_amount="50")
    auction_helpers.bid(product, rival, "20")
    elsewhere = auction_helpers.bid(other, bidder, "5")
    automatic = Bid.objects.get(outcome="automatic")
    with assert_nothing_written():
        for bid in (automatic.pk, elsewhere, uuid4()):
            assert refusal(caller.post(url(product, bid), REASON)) == (404, "not_found")
        for address in (f"/api/products/999999/bids/{uuid4()}/void/", f"/api/products/{product.pk}/bids/1/void/"):
            assert refusal(caller.post(address, REASON)) == (404, "not_found")
        assert refusal(client.post(url(other, elsewhere), REASON)) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": 5}, {"reason": "a" * 501}], ids=str
)
def test_void_without_reason_is_refused(as_user, seller, bidder, staff, body):
    product, caller = factories.product(seller), as_user(staff)
    made = auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        answer = caller.post(url(product, made), body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["reason"])


def test_void_reason_is_not_public(as_user, client, seller, bidder, staff):
    product = factories.product(seller)
    as_user(staff).post(url(product, auction_helpers.bid(product, bidder, "5")), REASON)
    for path in ("", "bids/", "events/"):
        assert "stolen" not in client.get(f"/api/products/{product.pk}/{path}").content.decode()


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_void_with_another_method_is_not_allowed(as_user, seller, bidder, staff, method):
    product = factories.product(seller)
    assert getattr(as_user(staff), method)(url(product, auction_helpers.bid(product, bidder, "5"))).status_code == 405

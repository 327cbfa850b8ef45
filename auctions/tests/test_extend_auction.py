"""POST /api/products/{id}/extend/."""

from datetime import timedelta

import pytest

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox
from auctions.services import closing
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def url(product):
    return f"/api/products/{product.pk}/extend/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def until(moment):
    return {"ends_at": clock.isoformat_utc(moment), "reason": "An outage."}


def test_extend_by_staff_moves_end_and_hard_end_alike(as_user, client, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    before, bid_at = product.auction.ends_at, Auction.objects.get().last_bid_at
    answer = as_user(staff).post(url(product), until(before + DAY))
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "ends_at": clock.isoformat_utc(before + DAY),
        "hard_ends_at": clock.isoformat_utc(before + 2 * DAY),
        "server_time": answer.json()["server_time"],
    }
    auction = Auction.objects.get()
    assert (auction.ends_at, auction.hard_ends_at, auction.seq, auction.status) == (
        before + DAY,
        before + 2 * DAY,
        2,
        "open",
    )
    assert (auction.leader, auction.price, auction.bid_count, auction.last_bid_at) == (bidder, 5, 1, bid_at)
    event = AuctionEvent.objects.get(seq=2)
    assert event.kind == "extended"
    assert event.data == {
        "from": clock.isoformat_utc(before),
        "ends_at": clock.isoformat_utc(before + DAY),
        "by": "staff",
    }
    assert event.private == {"actor": staff.pk, "reason": "An outage."}
    assert list(EventOutbox.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2]
    assert client.get(f"/api/products/{product.pk}/").json()["ends_at"] == clock.isoformat_utc(before + DAY)
    assert broken_invariants() == []


def test_extend_after_the_end_reopens_bidding(as_user, seller, bidder, rival, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    auction_helpers.move_end_to_past(product, timedelta(hours=2))
    caller = as_user(rival)
    bids = f"/api/products/{product.pk}/bids/"
    assert refusal(caller.post(bids, {"amount": "9"})) == (409, "auction_not_open")
    assert as_user(staff).post(url(product), until(clock.now() + DAY)).status_code == 200
    assert closing.close_due() == 0
    assert caller.post(bids, {"amount": "9"}).status_code == 201


def test_extend_of_a_scheduled_auction_moves_the_end(as_user, seller, staff):
    product = factories.product(seller)
    auction_helpers.move_start_to_tomorrow(product)
    before = Auction.objects.get().ends_at
    assert as_user(staff).post(url(product), until(before + DAY)).json()["ends_at"] == clock.isoformat_utc(before + DAY)


def test_extend_of_a_distant_end_moves_it(as_user, seller, staff):
    product = factories.product(seller, ends_at=clock.now() + timedelta(days=90))
    ends_at = product.auction.ends_at + DAY
    assert as_user(staff).post(url(product), until(ends_at)).status_code == 200


@pytest.mark.parametrize("running", [True, False])
def test_extend_to_an_earlier_or_past_time_is_refused(as_user, seller, staff, running):
    product, caller = factories.product(seller), as_user(staff)
    if not running:
        auction_helpers.move_end_to_past(product, timedelta(hours=2))
    ends_at = Auction.objects.get().ends_at
    for moment in (ends_at, ends_at - timedelta(microseconds=1), clock.now() - timedelta(minutes=1)):
        with assert_nothing_written():
            answer = caller.post(url(product), until(moment))
        assert answer.status_code == 400
        assert answer.json() == {
            "code": "invalid",
            "detail": "The input is not valid.",
            "errors": {"ends_at": ["It must be after now and the end so far, within 31 days."]},
        }


def test_extend_beyond_the_maximum_is_refused(as_user, seller, staff):
    product, caller = factories.product(seller), as_user(staff)
    with assert_nothing_written():
        for moment in (product.auction.ends_at + timedelta(days=31, minutes=1), clock.now() + timedelta(days=2000)):
            assert refusal(caller.post(url(product), until(moment))) == (400, "invalid")


@pytest.mark.parametrize(
    "body", [{}, {"ends_at": None}, {"ends_at": "later"}, {"ends_at": 5}, {"ends_at": "9999-12-31T23:59:59Z"}]
)
def test_extend_with_invalid_time_is_refused(as_user, seller, staff, body):
    product, caller = factories.product(seller), as_user(staff)
    with assert_nothing_written():
        answer = caller.post(url(product), {"reason": "An outage.", **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ends_at"])


def test_extend_reads_times_of_any_offset(as_user, seller, staff):
    product = factories.product(seller)
    day = (product.auction.ends_at + DAY).date()
    answer = as_user(staff).post(url(product), {"ends_at": f"{day}T23:59:00+02:00", "reason": "An outage."})
    assert answer.json()["ends_at"] == f"{day}T21:59:00Z"


@pytest.mark.parametrize("state", ["sold", "unsold", "cancelled"])
def test_extend_of_a_closed_auction_is_refused(as_user, seller, bidder, staff, state):
    product, caller = factories.product(seller), as_user(staff)
    if state == "sold":
        auction_helpers.bid(product, bidder, "5")
    if state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=seller)
    else:
        closing.close_auction(product_id=product.pk, actor=seller)
    with assert_nothing_written():
        answer = caller.post(url(product), until(product.auction.ends_at + DAY))
    assert answer.status_code == 409
    assert answer.json() == {"code": "auction_already_closed", "detail": "This auction is already closed."}


@pytest.mark.parametrize("who", ["seller", "bidder"])
def test_extend_by_non_staff_is_refused(request, as_user, seller, who):
    product, caller = factories.product(seller), as_user(request.getfixturevalue(who))
    with assert_nothing_written():
        answer = caller.post(url(product), until(product.auction.ends_at + DAY))
    assert answer.status_code == 403
    assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_extend_without_token_or_product_is_refused(as_user, client, seller, staff):
    product = factories.product(seller)
    body = until(product.auction.ends_at + DAY)
    assert refusal(client.post(url(product), body)) == (401, "not_authenticated")
    assert refusal(as_user(staff).post("/api/products/999999/extend/", body)) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_extend_with_another_method_is_not_allowed(as_user, seller, method):
    assert getattr(as_user(seller), method)(url(factories.product(seller))).status_code == 405


def test_extended_auction_still_has_a_soft_close(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.move_end_to_past(product, timedelta(minutes=5))
    soon = clock.now() + timedelta(seconds=60)
    as_user(staff).post(url(product), until(soon))
    auction_helpers.bid(product, bidder, "5")
    auction = Auction.objects.get()
    assert auction.ends_at == auction.last_bid_at + timedelta(seconds=120)
    kinds = AuctionEvent.objects.order_by("seq").values_list("seq", "kind")
    assert list(kinds) == [(1, "extended"), (2, "bid_placed"), (3, "extended")]

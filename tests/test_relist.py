from datetime import timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, EventOutbox, Product, Watch
from auctions.services import closing, relisting, second_chance, watching
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants
from tests.time_travel import advance_time, let_order_expire

pytestmark = pytest.mark.django_db

NOT_RELISTABLE = {
    "code": "not_relistable",
    "detail": "Only an unsold product without an open second-chance offer can be relisted, and only once.",
}


def url(product):
    return f"/api/products/{product.pk}/relist/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def old(seller, bidder):
    """A product whose reserve was not met."""
    product = factories.product(
        seller,
        description="Old.",
        currency="GBP",
        reserve_price=Decimal(50),
        buy_now_price=Decimal(90),
        shipping=Decimal("4.5"),
        soft_close_window=0,
        soft_close_extension=300,
        ends_at=clock.now() + timedelta(days=3),
    )
    auction_helpers.bid(product, bidder, "5", max_amount="9")
    watching.watch(product_id=product.pk, user=bidder)
    closing.close_auction(product_id=product.pk, actor=seller)
    return product


def fallen_through(product, seller, bidder):
    """Sell it to a buyer who does not pay."""
    auction_helpers.bid(product, bidder, "60")
    let_order_expire(product, seller)


def test_relist_of_unsold_product_creates_a_new_one(as_user, client, seller, old):
    before = Auction.objects.values().get()
    answer = as_user(seller).post(url(old))
    new = Product.objects.get(relisted_from=old)
    auction = Auction.objects.get(pk=new.pk)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": new.pk,
        "name": "A thing",
        "category": {"id": old.category_id, "name": "Things", "slug": "things"},
        "seller": {"id": seller.pk, "display_name": seller.display_name},
        "currency": "GBP",
        "starting_bid": "1.00",
        "current_price": None,
        "minimum_bid": "1.00",
        "bid_count": 0,
        "has_reserve": True,
        "reserve_met": False,
        "buy_now_price": "90.00",
        "status": "open",
        "starts_at": clock.isoformat_utc(auction.starts_at),
        "ends_at": clock.isoformat_utc(auction.ends_at),
        "thumbnail": None,
        "watch_count": 0,
        "created_at": clock.isoformat_utc(new.created_at),
        "seq": 0,
        "server_time": answer.json()["server_time"],
        "description": "Old.",
        "description_additions": [],
        "relisted_from": old.pk,
        "shipping": "4.50",
        "images": [],
        "bids": [],
        "viewer": {
            "alias": new.alias_of(seller.pk),
            "is_leading": False,
            "my_maximum": None,
            "my_last_amount": None,
            "watching": False,
            "can_bid": False,
            "reason": "seller_cannot_bid",
            "second_chance": None,
        },
    }
    assert (new.reserve_price, new.soft_close_window, new.soft_close_extension) == (50, 0, 300)
    assert new.alias_salt != old.alias_salt
    assert abs((auction.ends_at - auction.starts_at) - timedelta(days=3)) < timedelta(minutes=1)
    assert auction.hard_ends_at - auction.ends_at == timedelta(hours=24)
    event = AuctionEvent.objects.get(product=old, seq=3)
    assert (event.kind, event.data, event.private) == ("relisted", {"product": new.pk}, {})
    assert EventOutbox.objects.filter(product_id=old.pk, seq=3).exists()
    assert not AuctionEvent.objects.filter(product=new).exists()
    # Bids, watches and result stay with the old product.
    assert (Bid.objects.get().product, Watch.objects.get().product) == (old, old)
    assert Auction.objects.values().get(pk=old.pk) == {**before, "seq": 3, "version": before["version"] + 1}
    assert client.get(f"/api/products/{new.pk}/").json()["relisted_from"] == old.pk
    assert broken_invariants() == []


def test_relist_with_changes_uses_them(as_user, seller, old):
    starts_at = clock.now() + timedelta(days=1)
    body = {
        "name": "Another",
        "starting_bid": "2",
        "reserve_price": None,
        "buy_now_price": None,
        "starts_at": clock.isoformat_utc(starts_at),
        "bid_increment": "0.5",
    }
    answer = as_user(seller).post(url(old), body)
    assert answer.status_code == 201
    assert {key: answer.json()[key] for key in ("name", "starting_bid", "has_reserve", "status", "starts_at")} == {
        "name": "Another",
        "starting_bid": "2.00",
        "has_reserve": False,
        "status": "scheduled",
        "starts_at": clock.isoformat_utc(starts_at),
    }
    new = Product.objects.get(relisted_from=old)
    length = Auction.objects.get(pk=new.pk).ends_at - starts_at
    assert abs(length - timedelta(days=3)) < timedelta(minutes=1)
    assert (new.increments, new.buy_now_price, new.description) == ([["0", "0.50"]], None, "Old.")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"starting_bid": "0"}, "starting_bid"),
        ({"starting_bid": "90"}, "buy_now_price"),
        ({"buy_now_price": "49"}, "buy_now_price"),
        ({"currency": "JPY"}, "shipping"),
        ({"category": 999_999}, "category"),
        ({"ends_at": "2001-01-01T00:00:00Z"}, "ends_at"),
        ({"starts_at": "2001-01-01T00:00:00Z"}, "starts_at"),
        ({"name": ""}, "name"),
    ],
)
def test_relist_with_invalid_changes_names_them(as_user, seller, old, body, field):
    caller = as_user(seller)
    with assert_nothing_written():
        answer = caller.post(url(old), body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_relist_ignores_fields_the_seller_may_not_set(as_user, seller, rival, old):
    body = {"seller": rival.pk, "relisted_from": 7, "premium_bands": [], "increments": [["0", "9"]], "status": "sold"}
    answer = as_user(seller).post(url(old), body).json()
    assert (answer["seller"]["id"], answer["relisted_from"], answer["status"]) == (seller.pk, old.pk, "open")


def test_relist_of_product_without_bids_works(as_user, seller):
    product = factories.product(seller)
    closing.close_auction(product_id=product.pk, actor=seller)
    answer = as_user(seller).post(url(product))
    assert (answer.status_code, answer.json()["relisted_from"]) == (201, product.pk)


def test_relist_of_unpaid_sale_works(as_user, client, seller, bidder):
    product = factories.product(seller)
    fallen_through(product, seller, bidder)
    answer = as_user(seller).post(url(product))
    assert answer.status_code == 201
    assert client.get(f"/api/products/{product.pk}/").json()["status"] == "sold"
    assert refusal(as_user(seller).post(f"/api/products/{product.pk}/offer_second_chance/")) == (
        409,
        "second_chance_unavailable",
    )


def test_relist_twice_is_refused_but_the_new_product_may_be_relisted(as_user, seller, old):
    caller = as_user(seller)
    new = caller.post(url(old)).json()["id"]
    with assert_nothing_written():
        answer = caller.post(url(old))
    assert (answer.status_code, answer.json()) == (409, NOT_RELISTABLE)
    caller.post(f"/api/products/{new}/close_auction/")
    assert caller.post(f"/api/products/{new}/relist/").json()["relisted_from"] == new


@pytest.mark.parametrize(
    "state", ["scheduled", "open", "ended", "owing", "cancelled", "on offer", "offer past its time"]
)
def test_relist_of_product_not_unsold_is_refused(as_user, seller, bidder, rival, state):
    product, caller = factories.product(seller), as_user(seller)
    if state == "scheduled":
        auction_helpers.move_start_to_tomorrow(product)
    elif state == "ended":
        auction_helpers.move_end_to_past(product)
    elif state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=seller)
    elif state == "owing":
        auction_helpers.bid(product, bidder, "60")
        closing.close_auction(product_id=product.pk, actor=seller)
    elif "offer" in state:
        auction_helpers.bid(product, rival, "50")
        fallen_through(product, seller, bidder)
        second_chance.offer(product_id=product.pk, actor=seller)
        if "past" in state:
            advance_time(product, hours=24)
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert (answer.status_code, answer.json()) == (409, NOT_RELISTABLE)


@pytest.mark.parametrize("how", ["declined", "lapsed"])
def test_relist_after_failed_second_chance_works(seller, bidder, rival, how):
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "50")
    fallen_through(product, seller, bidder)
    second_chance.offer(product_id=product.pk, actor=seller)
    if how == "declined":
        second_chance.decline(product_id=product.pk, bidder=rival)
    else:
        advance_time(product, hours=24)
        second_chance.lapse_due()
    assert relisting.relist(product_id=product.pk, actor=seller, changes={}).relisted_from == product


@pytest.mark.parametrize("who", ["staff", "bidder", "rival"])
def test_relist_by_others_answers_403(request, as_user, old, who):
    caller = as_user(request.getfixturevalue(who))
    with assert_nothing_written():
        answer = caller.post(url(old))
    assert answer.status_code == 403
    assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_relist_without_token_or_product_answers_401_or_404(as_user, client, seller, old):
    assert refusal(client.post(url(old))) == (401, "not_authenticated")
    assert refusal(as_user(seller).post("/api/products/999999/relist/")) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_relist_with_other_methods_answers_405(as_user, seller, old, method):
    assert getattr(as_user(seller), method)(url(old)).status_code == 405


def test_relist_with_same_key_repeats_the_answer(as_user, seller, old):
    caller, key = as_user(seller), {"headers": {"Idempotency-Key": "one"}}
    first = caller.post(url(old), {"starting_bid": "2"}, **key)
    with assert_nothing_written():
        again = caller.post(url(old), {"starting_bid": 2.0}, **key)
        other = caller.post(url(old), {"starting_bid": "3"}, **key)
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert refusal(other) == (422, "idempotency_key_reused")

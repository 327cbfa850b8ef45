from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox
from auctions.services import buying, closing, voiding
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db

UNAVAILABLE = (409, "buy_now_unavailable")
PRICE = {"price": "90"}


def url(product):
    return f"/api/products/{product.pk}/buy_now/"


def for_sale(seller, **fields):
    return factories.product(seller, **{"buy_now_price": Decimal(90), **fields})


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def test_buy_now_of_open_auction_sells_at_its_price(as_user, client, seller, bidder):
    product = for_sale(seller, shipping=Decimal(5))
    answer = as_user(bidder).post(url(product), PRICE)
    auction = Auction.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "result": "sold",
        "winner": {"id": bidder.pk, "display_name": bidder.display_name},
        "final_price": "90.00",
        "currency": "USD",
        "closed_at": clock.isoformat_utc(auction.closed_at),
        "server_time": answer.json()["server_time"],
    }
    assert (auction.status, auction.result, auction.sale_type, auction.winner, auction.hammer_price) == (
        "sold",
        "sold",
        "buy_now",
        bidder,
        90,
    )
    assert (auction.leader, auction.price, auction.leader_max, auction.bid_count, auction.seq, auction.version) == (
        None,
        None,
        None,
        0,
        1,
        1,
    )
    event = AuctionEvent.objects.get()
    assert (event.seq, event.kind, event.created_at) == (1, "closed", auction.closed_at)
    assert event.data == {
        "result": "sold",
        "final_price": "90.00",
        "currency": "USD",
        "winner": product.alias_of(bidder.pk),
        "by": "buy_now",
    }
    assert event.private == {
        "winner": bidder.pk,
        "seller": seller.pk,
        "terms": {"currency": "USD", "shipping": "5.00", "premium_bands": []},
    }
    assert list(EventOutbox.objects.values_list("product_id", "seq")) == [(product.pk, 1)]
    order = Order.objects.get()
    assert (order.buyer, order.seller, order.hammer_price, order.total, order.status) == (
        bidder,
        seller,
        90,
        95,
        "awaiting_payment",
    )
    assert order.due_at == auction.closed_at + timedelta(hours=96)
    shown = client.get(f"/api/products/{product.pk}/").json()
    assert (shown["status"], shown["buy_now_price"], shown["seq"], "winner" in shown) == ("sold", None, 1, False)
    assert broken_invariants() == []


def test_buy_now_with_bids_below_reserve_sells_and_keeps_the_bids(as_user, client, seller, bidder, rival):
    product = for_sale(seller, reserve_price=Decimal(50))
    auction_helpers.bid(product, bidder, "20", max_amount="30")
    assert client.get(f"/api/products/{product.pk}/").json()["buy_now_price"] == "90.00"
    assert as_user(rival).post(url(product), PRICE).json()["winner"]["id"] == rival.pk
    auction = Auction.objects.get()
    assert (auction.winner, auction.hammer_price) == (rival, 90)
    assert (auction.leader, auction.price, auction.leader_max, auction.bid_count) == (bidder, 30, 30, 1)
    assert Order.objects.get().buyer == rival
    assert broken_invariants() == []


def test_buy_now_by_the_leader_below_reserve_sells(as_user, seller, bidder):
    product = for_sale(seller, reserve_price=Decimal(50))
    auction_helpers.bid(product, bidder, "20")
    assert as_user(bidder).post(url(product), PRICE).json()["final_price"] == "90.00"


def test_buy_now_at_the_reserve_sells(as_user, seller, bidder, rival):
    product = for_sale(seller, reserve_price=Decimal(90))
    auction_helpers.bid(product, rival, max_amount="89.99")
    assert as_user(bidder).post(url(product), PRICE).status_code == 200


def test_buy_now_without_reserve_after_a_bid_is_refused(as_user, client, seller, bidder, rival):
    product, caller = for_sale(seller), as_user(bidder)
    auction_helpers.bid(product, rival, "5")
    assert client.get(f"/api/products/{product.pk}/").json()["buy_now_price"] is None
    with assert_nothing_written():
        answer = caller.post(url(product), PRICE)
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "buy_now_unavailable",
        "detail": "You cannot buy this product now.",
    }


def test_buy_now_with_reserve_met_is_refused(as_user, seller, bidder, rival):
    product, caller = for_sale(seller, reserve_price=Decimal(50)), as_user(bidder)
    auction_helpers.bid(product, rival, max_amount="50")
    with assert_nothing_written():
        assert refusal(caller.post(url(product), PRICE)) == UNAVAILABLE


def test_buy_now_without_a_price_is_refused(as_user, seller, bidder):
    product, caller = factories.product(seller), as_user(bidder)
    with assert_nothing_written():
        assert refusal(caller.post(url(product), PRICE)) == UNAVAILABLE


def test_buy_now_after_the_only_bid_is_voided_sells(as_user, seller, bidder, rival, staff):
    product = for_sale(seller)
    made = auction_helpers.bid(product, rival, "5")
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="By mistake.")
    assert as_user(bidder).post(url(product), PRICE).status_code == 200
    assert Auction.objects.get().winner == bidder


@pytest.mark.parametrize("state", ["scheduled", "ended", "closed", "cancelled", "bought"])
def test_buy_now_of_auction_not_open_is_refused(as_user, seller, bidder, rival, state):
    product, caller = for_sale(seller), as_user(bidder)
    if state == "scheduled":
        auction_helpers.move_start_to_tomorrow(product)
    elif state == "ended":
        auction_helpers.move_end_to_past(product, timedelta(0))
    elif state == "closed":
        closing.close_auction(product_id=product.pk, actor=seller)
    elif state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=seller)
    else:
        buying.buy_now(product_id=product.pk, buyer=rival, price=Decimal(90))
    with assert_nothing_written():
        answer = caller.post(url(product), PRICE)
    assert answer.status_code == 409
    assert answer.json() == {"code": "auction_not_open", "detail": "This auction is not open for bids."}


def test_buy_now_by_seller_answers_403(as_user, seller):
    product = for_sale(seller)
    User.objects.filter(pk=seller.pk).update(is_staff=True)
    caller = as_user(seller)
    for _ in range(2):
        with assert_nothing_written():
            answer = caller.post(url(product), PRICE)
        assert answer.status_code == 403
        assert answer.json() == {"code": "seller_cannot_bid", "detail": "You cannot buy your own product."}
        auction_helpers.move_end_to_past(product)


def test_buy_now_by_suspended_buyer_answers_403_last(as_user, seller, bidder):
    product, other, caller = for_sale(seller), factories.product(seller), as_user(bidder)
    User.objects.filter(pk=bidder.pk).update(strikes=3)
    with assert_nothing_written():
        assert refusal(caller.post(url(product), PRICE)) == (403, "bidder_suspended")
        assert refusal(caller.post(url(other), PRICE)) == UNAVAILABLE
    User.objects.filter(pk=bidder.pk).update(strikes=2)
    assert caller.post(url(product), PRICE).status_code == 200


def test_buy_now_of_unknown_product_answers_404(as_user, bidder):
    assert refusal(as_user(bidder).post("/api/products/999999/buy_now/", PRICE)) == (404, "not_found")


def test_buy_now_without_token_answers_401(client, seller):
    product = for_sale(seller)
    with assert_nothing_written():
        assert refusal(client.post(url(product), PRICE)) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_buy_now_with_other_methods_answers_405(as_user, seller, bidder, method):
    assert getattr(as_user(bidder), method)(url(for_sale(seller))).status_code == 405


def test_buy_now_ignores_unknown_fields(as_user, seller, bidder, rival):
    product = for_sale(seller)
    answer = as_user(bidder).post(url(product), {**PRICE, "buy_now_price": "1", "buyer": rival.pk})
    assert (answer.json()["final_price"], answer.json()["winner"]["id"]) == ("90.00", bidder.pk)


def test_buy_now_without_the_price_seen_is_refused(as_user, seller, bidder):
    product, caller = for_sale(seller), as_user(bidder)
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert refusal(answer) == (400, "invalid")
    assert set(answer.json()["errors"]) == {"price"}


@pytest.mark.parametrize(
    "seen",
    [{"price": "89.99"}, {"price": "90.01"}, {**PRICE, "total": "103.99"}, {**PRICE, "currency": "EUR"}],
    ids=["below", "above", "total", "currency"],
)
def test_buy_now_at_another_price_than_seen_buys_nothing(as_user, seller, bidder, settings, seen):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(10)),)
    product, caller = for_sale(seller, shipping=Decimal(5)), as_user(bidder)
    with assert_nothing_written():
        answer = caller.post(url(product), seen)
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "price_changed",
        "detail": "The price has changed, and nothing was bought or bid. Please look at the new price and confirm it.",
        "price": "90.00",
        "shipping": "5.00",
        "premium": "9.00",
        "total": "104.00",
        "currency": "USD",
    }


def test_buy_now_with_the_total_and_currency_seen_buys(as_user, seller, bidder):
    product = for_sale(seller, shipping=Decimal(5))
    answer = as_user(bidder).post(url(product), {**PRICE, "total": "95", "currency": "usd"})
    assert (answer.status_code, Order.objects.get().total) == (200, 95)


def test_buy_now_after_the_seller_raised_the_price_charges_nothing(as_user, seller, bidder):
    product, sells, buys = for_sale(seller, shipping=Decimal(5)), as_user(seller), as_user(bidder)
    path = f"/api/products/{product.pk}/"
    assert refusal(sells.patch(path, {"buy_now_price": "9000", "shipping": "900"})) == (409, "terms_fixed")
    assert sells.patch(path, {"buy_now_price": "9000"}).status_code == 200
    assert refusal(buys.post(url(product), PRICE)) == (409, "price_changed")
    assert Order.objects.count() == 0
    sells.patch(path, {"shipping": "4"})
    assert buys.post(url(product), {"price": "9000"}).status_code == 200
    assert Order.objects.get().total == 9004


def test_buy_now_with_same_key_repeats_the_answer(as_user, seller, bidder):
    product, other, caller = for_sale(seller), for_sale(seller), as_user(bidder)
    key = {"headers": {"Idempotency-Key": "one"}}
    first = caller.post(url(product), PRICE, **key)
    with assert_nothing_written():
        again, elsewhere = caller.post(url(product), PRICE, **key), caller.post(url(other), PRICE, **key)
        keyless = caller.post(url(product), PRICE)
    assert (first.status_code, again.status_code, first.json()) == (200, 200, again.json())
    assert refusal(elsewhere) == (422, "idempotency_key_reused")
    assert refusal(keyless) == (409, "auction_not_open")


def test_buy_now_refused_leaves_its_key_free(as_user, seller, bidder):
    product, caller, key = for_sale(seller), as_user(bidder), {"headers": {"Idempotency-Key": "one"}}
    User.objects.filter(pk=bidder.pk).update(strikes=3)
    with assert_nothing_written():
        assert caller.post(url(product), PRICE, **key).status_code == 403
    User.objects.filter(pk=bidder.pk).update(strikes=0)
    assert caller.post(url(product), PRICE, **key).status_code == 200


def test_bought_product_refuses_bids_close_and_edit(as_user, seller, bidder, rival):
    product = for_sale(seller, reserve_price=Decimal(50))
    auction_helpers.bid(product, rival, "5")
    buying.buy_now(product_id=product.pk, buyer=bidder, price=Decimal(90))
    address, bids, sells = f"/api/products/{product.pk}/", as_user(rival), as_user(seller)
    with assert_nothing_written():
        assert refusal(bids.post(f"{address}bids/", {"amount": "60"})) == (409, "auction_not_open")
        for closed in (
            sells.post(f"{address}close_auction/", {"accept_below_reserve": True}),
            sells.post(f"{address}cancel/"),
            sells.patch(address, {"description": "More."}),
        ):
            assert refusal(closed) == (409, "auction_already_closed")


def test_buy_now_ends_the_lead_of_the_leader(as_user, seller, bidder, rival):
    product = for_sale(seller, reserve_price=Decimal(50))
    auction_helpers.bid(product, rival, "5")
    path, callers = f"/api/products/{product.pk}/", (as_user(rival), as_user(bidder))
    assert [caller.get(path).json()["viewer"]["is_leading"] for caller in callers] == [True, False]
    buying.buy_now(product_id=product.pk, buyer=bidder, price=Decimal(90))
    assert [caller.get(path).json()["viewer"]["is_leading"] for caller in callers] == [False, True]

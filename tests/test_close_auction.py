from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox
from auctions.services import closing
from auctions.signals import auction_sold
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories

pytestmark = pytest.mark.django_db

TERMS = {"currency": "USD", "shipping": "5.00", "premium_bands": []}


def url(product):
    return f"/api/products/{product.pk}/close_auction/"


@contextmanager
def listening(receiver):
    auction_sold.connect(receiver, weak=False, dispatch_uid="test")
    try:
        yield
    finally:
        auction_sold.disconnect(dispatch_uid="test")


def test_close_with_reserve_met_sells_to_the_leader(as_user, client, seller, bidder):
    product = factories.product(seller, starting_bid="100", shipping=Decimal(5))
    auction_helpers.bid(product, bidder, "150", max_amount="400")
    answer = as_user(seller).post(url(product))
    auction = Auction.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "result": "sold",
        "winner": {"id": bidder.pk, "display_name": bidder.display_name},
        "final_price": "150.00",
        "currency": "USD",
        "closed_at": clock.isoformat_utc(auction.closed_at),
        "server_time": answer.json()["server_time"],
    }
    assert (auction.status, auction.winner, auction.hammer_price, auction.sale_type) == ("sold", bidder, 150, "hammer")
    order = Order.objects.get()
    assert (order.product, order.buyer, order.seller, order.total) == (product, bidder, seller, 155)
    event = AuctionEvent.objects.get(seq=2)
    assert (event.kind, event.created_at, event.private) == (
        "closed",
        auction.closed_at,
        {"winner": bidder.pk, "seller": seller.pk, "actor": seller.pk, "terms": TERMS},
    )
    assert event.data == {
        "result": "sold",
        "final_price": "150.00",
        "currency": "USD",
        "winner": product.alias_of(bidder.pk),
        "by": "seller",
    }
    assert list(EventOutbox.objects.order_by("seq").values_list("product_id", "seq")) == [
        (product.pk, 1),
        (product.pk, 2),
    ]
    shown = client.get(f"/api/products/{product.pk}/").json()
    assert (shown["status"], shown["current_price"], shown["seq"]) == ("sold", "150.00", 2)
    assert "winner" not in shown


def test_close_without_bids_ends_without_sale(as_user, client, seller):
    product = factories.product(seller)
    answer = as_user(seller).post(url(product), {})
    assert (answer.status_code, answer.json()["result"]) == (200, "no_bids")
    assert (answer.json()["winner"], answer.json()["final_price"]) == (None, None)
    assert client.get(f"/api/products/{product.pk}/").json()["status"] == "unsold"
    assert not Order.objects.exists()
    assert AuctionEvent.objects.get().data == {
        "result": "no_bids",
        "final_price": None,
        "currency": "USD",
        "winner": None,
        "by": "seller",
    }


def test_close_with_reserve_not_met_ends_without_sale(as_user, seller, bidder):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, bidder, "99")
    answer = as_user(seller).post(url(product), {"accept_below_reserve": False})
    assert (answer.json()["result"], answer.json()["winner"], answer.json()["final_price"]) == (
        "reserve_not_met",
        None,
        None,
    )
    assert (Auction.objects.get().status, Order.objects.exists()) == ("unsold", False)


def test_close_accepting_below_reserve_by_seller_sells(as_user, seller, bidder):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, bidder, "99")
    answer = as_user(seller).post(url(product), {"accept_below_reserve": True})
    assert (answer.json()["result"], answer.json()["final_price"]) == ("sold", "99.00")
    assert (Order.objects.get().total, Auction.objects.get().sale_type) == (99, "below_reserve")


def test_close_accepting_below_reserve_by_others_is_refused(as_user, seller, bidder, staff):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, bidder, "99")
    answer = as_user(staff).post(url(product), {"accept_below_reserve": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert Auction.objects.get().status == "open"


def test_close_with_reserve_met_by_maximum_sells_at_reserve(as_user, seller, bidder):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, bidder, max_amount="300")
    answer = as_user(seller).post(url(product))
    assert (answer.json()["result"], answer.json()["final_price"]) == ("sold", "100.00")


def test_close_by_staff_closes(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "9")
    assert as_user(staff).post(url(product)).json()["result"] == "sold"
    assert AuctionEvent.objects.get(seq=2).data["by"] == "staff"


@pytest.mark.parametrize("who", ["bidder", "rival"])
def test_close_by_others_answers_403(as_user, seller, bidder, rival, who):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "9")
    answer = as_user({"bidder": bidder, "rival": rival}[who]).post(url(product))
    assert answer.status_code == 403
    assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}
    assert Auction.objects.get().status == "open"


def test_close_without_token_answers_401(client, seller):
    answer = client.post(url(factories.product(seller)))
    assert (answer.status_code, answer.json()["code"], answer["WWW-Authenticate"]) == (
        401,
        "not_authenticated",
        "Bearer",
    )


def test_close_twice_is_refused(as_user, seller, staff):
    product = factories.product(seller)
    assert as_user(seller).post(url(product)).status_code == 200
    before = Auction.objects.values().get()
    for caller in (seller, staff):
        answer = as_user(caller).post(url(product))
        assert answer.status_code == 409
        assert answer.json() == {"code": "auction_already_closed", "detail": "This auction is already closed."}
    assert Auction.objects.values().get() == before
    assert AuctionEvent.objects.count() == 1


def test_bid_on_closed_auction_is_refused(as_user, seller, bidder):
    product = factories.product(seller)
    closing.close_auction(product_id=product.pk, actor=seller)
    answer = as_user(bidder).post(f"/api/products/{product.pk}/bids/", {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (409, "auction_not_open")


@pytest.mark.parametrize("value", ["maybe", [], {}, None, 5])
def test_close_with_bad_body_is_refused(as_user, seller, value):
    answer = as_user(seller).post(url(factories.product(seller)), {"accept_below_reserve": value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["accept_below_reserve"])
    assert Auction.objects.get().status == "open"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_close_with_other_methods_answers_405(as_user, seller, method):
    answer = getattr(as_user(seller), method)(url(factories.product(seller)))
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_close_sends_one_signal_in_its_transaction(seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "9")
    heard = []

    def receiver(*, auction, **_):
        heard.append((auction.pk, auction.status, connection.in_atomic_block, AuctionEvent.objects.count()))

    with listening(receiver):
        closing.close_auction(product_id=product.pk, actor=seller)
    assert heard == [(product.pk, "sold", True, 2)]


@pytest.mark.django_db(transaction=True)
def test_close_with_failing_receiver_is_rolled_back(as_user, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "9")
    caller = as_user(seller)
    caller.raise_request_exception = False

    def receiver(**_):
        raise RuntimeError

    with listening(receiver):
        answer = caller.post(url(product))
    assert answer.status_code == 500
    assert answer.json() == {"code": "server_error", "detail": "Something went wrong on our side. It was logged."}
    auction = Auction.objects.get()
    assert (auction.status, auction.result, auction.seq, auction.closed_at) == ("open", "", 1, None)
    assert (AuctionEvent.objects.count(), EventOutbox.objects.count(), Order.objects.count()) == (1, 1, 0)
    assert caller.post(url(product)).status_code == 200
    assert Order.objects.count() == 1


def test_close_auction_with_accept_below_reserve_not_boolean_is_refused(as_user, seller):
    product = factories.product(seller)
    answer = as_user(seller).post(f"/api/products/{product.pk}/close_auction/", {"accept_below_reserve": "yes"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["accept_below_reserve"])

"""POST …/offer_second_chance/, accept_second_chance/, decline_second_chance/, and offers that lapse."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from auctioncraft.core import clock
from auctions import tasks
from auctions.models import Auction, AuctionEvent, EventOutbox, SecondChanceOffer
from auctions.services import closing, relisting, second_chance
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time, let_order_expire

pytestmark = pytest.mark.django_db

UNAVAILABLE = {
    "code": "second_chance_unavailable",
    "detail": "There is no bidder to offer this product to.",
}
TERMS = {"currency": "USD", "shipping": "5.00", "premium_bands": []}
NOT_OPEN = {"code": "second_chance_not_open", "detail": "This offer is no longer open."}


def url(product, act="offer"):
    return f"/api/products/{product.pk}/{act}_second_chance/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def third(db):
    """A third bidder."""
    return factories.user("third@example.com")


@pytest.fixture
def product(seller, bidder, rival, third):
    """A product won by `bidder` for 50 and not paid; `rival` offered 49.50, `third` 20."""
    product = factories.product(seller, shipping=Decimal(5))
    auction_helpers.bid(product, third, "20")
    auction_helpers.bid(product, rival, max_amount="49.50")
    auction_helpers.bid(product, bidder, "50")
    let_order_expire(product, seller)
    return product


def last_event(product):
    event = AuctionEvent.objects.filter(product=product).order_by("seq").last()
    assert EventOutbox.objects.filter(product_id=product.pk, seq=event.seq).exists()
    assert Auction.objects.get(pk=product.pk).seq == event.seq
    return event


def test_unpaid_sale_shows_that_it_failed_and_hides_why(client, seller, bidder, product):
    event = last_event(product)
    assert (event.kind, event.data, event.private) == (
        "sale_fell_through",
        {},
        {"buyer": bidder.pk, "seller": seller.pk},
    )
    assert client.get(f"/api/products/{product.pk}/").json()["status"] == "sold"


def test_offer_goes_to_the_next_bidder_at_the_price_without_the_winner(as_user, client, seller, rival, product):
    answer = as_user(seller).post(url(product))
    made = SecondChanceOffer.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "product": product.pk,
        "bidder": product.alias_of(rival.pk),
        "amount": "20.50",
        "buyers_premium": "0.00",
        "shipping": "5.00",
        "total": "25.50",
        "currency": "USD",
        "status": "offered",
        "expires_at": clock.isoformat_utc(made.expires_at),
        "server_time": answer.json()["server_time"],
    }
    assert (made.bidder, made.amount, made.status, made.answered_at) == (rival, Decimal("20.50"), "offered", None)
    assert made.expires_at - made.offered_at == timedelta(hours=24)
    event = last_event(product)
    assert (event.kind, event.data, event.created_at) == ("second_chance_offered", {}, made.offered_at)
    assert event.private == {
        "actor": seller.pk,
        "bidder": rival.pk,
        "seller": seller.pk,
        "amount": "20.50",
        "total": "25.50",
        "expires_at": clock.isoformat_utc(made.expires_at),
    }
    auction = Auction.objects.get()
    assert (auction.status, auction.payment_defaulted_at is None) == ("sold", False)
    assert "20.50" not in client.get(f"/api/products/{product.pk}/events/?after={event.seq - 1}").content.decode()


def test_offer_by_staff_is_accepted(as_user, staff, product):
    assert as_user(staff).post(url(product)).status_code == 201


def test_offer_is_visible_to_its_bidder_only(as_user, client, seller, bidder, rival, product):
    made = second_chance.offer(product_id=product.pk, actor=seller)
    path = f"/api/products/{product.pk}/"
    assert as_user(rival).get(path).json()["viewer"]["second_chance"] == {
        "amount": "20.50",
        "total": "25.50",
        "expires_at": clock.isoformat_utc(made.expires_at),
    }
    for other in (seller, bidder):
        assert as_user(other).get(path).json()["viewer"]["second_chance"] is None
    assert "viewer" not in client.get(path).json()
    advance_time(product, hours=24)
    assert as_user(rival).get(path).json()["viewer"]["second_chance"] is None


def test_accept_by_the_bidder_sells_to_them(as_user, client, seller, bidder, rival, product):
    closed_at = Auction.objects.get().closed_at
    second_chance.offer(product_id=product.pk, actor=seller)
    answer = as_user(rival).post(url(product, "accept"))
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "result": "sold",
        "winner": {"id": rival.pk, "display_name": rival.display_name},
        "final_price": "20.50",
        "currency": "USD",
        "closed_at": clock.isoformat_utc(closed_at),
        "server_time": answer.json()["server_time"],
    }
    auction, made = Auction.objects.get(), SecondChanceOffer.objects.get()
    assert (auction.status, auction.result, auction.sale_type, auction.winner, auction.hammer_price) == (
        "sold",
        "sold",
        "second_chance",
        rival,
        Decimal("20.50"),
    )
    assert (auction.payment_defaulted_at, auction.paid_at, auction.leader, auction.price) == (None, None, bidder, 50)
    event = last_event(product)
    assert (event.kind, event.private) == (
        "second_chance_accepted",
        {"winner": rival.pk, "seller": seller.pk, "terms": TERMS},
    )
    assert event.data == {"final_price": "20.50", "currency": "USD", "winner": product.alias_of(rival.pk)}
    assert (made.status, made.answered_at) == ("accepted", event.created_at)
    first, second = Order.objects.order_by("pk")
    assert (first.buyer, first.status, second.buyer, second.status) == (bidder, "expired", rival, "awaiting_payment")
    assert (second.total, second.due_at) == (Decimal("25.50"), event.created_at + timedelta(hours=96))
    assert refusal(as_user(bidder).post("/api/payments/create-payment-intent/", {"product_id": product.pk})) == (
        409,
        "order_not_payable",
    )


def test_decline_by_the_bidder_ends_the_offer(as_user, seller, rival, product):
    made = second_chance.offer(product_id=product.pk, actor=seller)
    answer = as_user(rival).post(url(product, "decline"))
    assert answer.status_code == 200
    assert answer.json() == {
        "product": product.pk,
        "bidder": product.alias_of(rival.pk),
        "amount": "20.50",
        "buyers_premium": "0.00",
        "shipping": "5.00",
        "total": "25.50",
        "currency": "USD",
        "status": "declined",
        "expires_at": clock.isoformat_utc(made.expires_at),
        "server_time": answer.json()["server_time"],
    }
    event = last_event(product)
    assert (event.kind, event.data, event.private) == (
        "second_chance_declined",
        {},
        {"bidder": rival.pk, "seller": seller.pk},
    )
    assert SecondChanceOffer.objects.get().answered_at == event.created_at
    assert (Auction.objects.get().payment_defaulted_at is None, Order.objects.count()) == (False, 1)
    rival.refresh_from_db()
    assert rival.strikes == 0


def test_offer_after_24_hours_lapses(seller, rival, product):
    second_chance.offer(product_id=product.pk, actor=seller)
    advance_time(product, hours=23, minutes=59)
    with assert_nothing_written():
        assert second_chance.lapse_due() == 0
    advance_time(product, minutes=1)
    tasks.lapse_offers()
    made, event = SecondChanceOffer.objects.get(), last_event(product)
    assert (made.status, made.answered_at) == ("lapsed", event.created_at)
    assert (event.kind, event.data, event.private) == (
        "second_chance_lapsed",
        {},
        {"bidder": rival.pk, "seller": seller.pk},
    )
    with assert_nothing_written():
        assert second_chance.lapse_due() == 0


@pytest.mark.parametrize("how", ["accepted", "declined", "lapsed", "past its time"])
def test_answer_to_an_ended_offer_is_refused(as_user, seller, rival, product, how):
    caller = as_user(rival)
    second_chance.offer(product_id=product.pk, actor=seller)
    if how == "accepted":
        second_chance.accept(product_id=product.pk, bidder=rival)
    elif how == "declined":
        second_chance.decline(product_id=product.pk, bidder=rival)
    else:
        advance_time(product, hours=24)
        if how == "lapsed":
            second_chance.lapse_due()
    with assert_nothing_written():
        for act in ("accept", "decline"):
            answer = caller.post(url(product, act))
            assert (answer.status_code, answer.json()) == (409, NOT_OPEN)


def test_answer_without_an_offer_answers_404(as_user, client, seller, bidder, third, staff, product):
    callers = [as_user(user) for user in (seller, bidder, third, staff)]
    with assert_nothing_written():
        assert refusal(callers[2].post(url(product, "accept"))) == (404, "not_found")
    second_chance.offer(product_id=product.pk, actor=seller)
    with assert_nothing_written():
        for act in ("accept", "decline"):
            for caller in callers:
                assert refusal(caller.post(url(product, act))) == (404, "not_found")
            assert refusal(client.post(url(product, act))) == (401, "not_authenticated")
            assert refusal(callers[0].post(f"/api/products/999999/{act}_second_chance/")) == (404, "not_found")


def test_suspended_bidder_may_only_decline(as_user, seller, rival, product):
    caller = as_user(rival)
    second_chance.offer(product_id=product.pk, actor=seller)
    User.objects.filter(pk=rival.pk).update(strikes=3)
    with assert_nothing_written():
        assert refusal(caller.post(url(product, "accept"))) == (403, "bidder_suspended")
    assert caller.post(url(product, "decline")).status_code == 200


@pytest.mark.parametrize("state", ["open", "ended", "owing", "reserve not met", "cancelled", "accepted", "relisted"])
def test_offer_without_a_failed_sale_is_refused(as_user, seller, bidder, rival, staff, state):
    product = factories.product(seller, reserve_price=Decimal(99) if state == "reserve not met" else None)
    caller = as_user(seller)
    auction_helpers.bid(product, rival, "20")
    auction_helpers.bid(product, bidder, "30")
    if state == "ended":
        auction_helpers.move_end_to_past(product)
    elif state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    elif state in {"owing", "reserve not met"}:
        closing.close_auction(product_id=product.pk, actor=seller)
    elif state in {"accepted", "relisted"}:
        let_order_expire(product, seller)
        if state == "relisted":
            relisting.relist(product_id=product.pk, actor=seller, changes={})
        else:
            second_chance.offer(product_id=product.pk, actor=seller)
            second_chance.accept(product_id=product.pk, bidder=rival)
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert (answer.status_code, answer.json()) == (409, UNAVAILABLE)


@pytest.mark.parametrize("who", ["bidder", "rival"])
def test_offer_by_others_answers_403(request, as_user, product, who):
    caller = as_user(request.getfixturevalue(who))
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert answer.status_code == 403
    assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_offer_without_token_or_product_answers_401_or_404(as_user, client, seller, product):
    assert refusal(client.post(url(product))) == (401, "not_authenticated")
    assert refusal(as_user(seller).post("/api/products/999999/offer_second_chance/")) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
@pytest.mark.parametrize("act", ["offer", "accept", "decline"])
def test_offer_with_other_methods_answers_405(as_user, seller, product, act, method):
    assert getattr(as_user(seller), method)(url(product, act)).status_code == 405


def test_offer_and_accept_with_same_key_repeat_the_answer(as_user, seller, rival, product):
    key = {"headers": {"Idempotency-Key": "one"}}
    for user, act, status in ((seller, "offer", 201), (rival, "accept", 200)):
        caller = as_user(user)
        first = caller.post(url(product, act), **key)
        with assert_nothing_written():
            again = caller.post(url(product, act), **key)
            other = caller.post(f"/api/products/{product.pk}/buy_now/", {"price": "1"}, **key)
        assert (first.status_code, again.status_code, first.json()) == (status, status, again.json())
        assert refusal(other) == (422, "idempotency_key_reused")
    assert (SecondChanceOffer.objects.count(), Order.objects.count()) == (1, 2)

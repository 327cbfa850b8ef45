"""Many clients that bid at once over HTTP on a running server."""

import random
from collections import Counter
from decimal import Decimal

import pytest

from auctioncraft.models import IdempotencyKey
from auctions.models import Auction, AuctionEvent, Bid
from payments.models import Order
from tests import factories, servers

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]

CLIENTS = 50
ACCEPTED_EACH, TRIES_EACH = 3, 8


@pytest.fixture
def port(stack):
    port = servers.free_port()
    stack.serve(port)
    return port


@pytest.fixture
def seller(stack):
    return factories.user("seller@example.com")


def make_callers(stack, port, count=CLIENTS):
    return [stack.caller(port, factories.user(f"bidder{n}@example.com")) for n in range(count)]


def bid_at_once(callers, products):
    """Let all clients bid at once, mostly the minimum, sometimes a maximum; return all answers."""

    def bids_of(number, caller):
        chance, minimum, answers = random.Random(number), dict.fromkeys(products, Decimal(1)), []
        accepted = 0
        for _ in range(TRIES_EACH):
            product = chance.choice(products)
            amount = minimum[product] + chance.choice((0, 0, 0, 1, 5))
            offer = {"amount": str(amount)}
            if chance.random() < 0.3:
                offer["max_amount"] = str(amount + chance.choice((0, 3, 20)))
            status, answer = caller.bid(product, **offer)
            answers.append((status, answer, product, offer))
            if next_minimum := answer.get("minimum_bid") or answer.get("product", {}).get("minimum_bid"):
                minimum[product] = Decimal(next_minimum)
            accepted += status == 201
            if accepted == ACCEPTED_EACH:
                break
        return answers

    made = servers.run_concurrently(
        [lambda number=number, caller=caller: bids_of(number, caller) for number, caller in enumerate(callers)]
    )
    return [(caller.user, *answer) for caller, answers in zip(callers, made, strict=True) for answer in answers]


def assert_every_201_is_one_bid(answers):
    statuses = Counter(status for _, status, *_ in answers)
    assert set(statuses) <= {201, 400, 409}, [answer for answer in answers if answer[1] not in {201, 400, 409}]
    codes = {answer["code"] for _, status, answer, *_ in answers if status != 201}
    assert codes <= {"bid_too_low", "maximum_not_raised"}
    accepted = {
        answer["bid"]["id"]: (user.pk, product.pk, Decimal(offer["amount"]))
        for user, status, answer, product, offer in answers
        if status == 201
    }
    assert len(accepted) == statuses[201]
    stored = Bid.objects.exclude(outcome="automatic").values_list("pk", "bidder_id", "product_id", "amount")
    assert {str(pk): tuple(row) for pk, *row in stored} == accepted


def assert_the_highest_leads(answers, product):
    """Assert, without the engine, that nobody offered more than the leader, who pays at most their limit."""
    most = {}
    for user, status, _, bid_on, offer in answers:
        if status == 201 and bid_on == product:
            limit = Decimal(offer.get("max_amount", offer["amount"]))
            most[user.pk] = max(limit, most.get(user.pk, limit))
    auction = Auction.objects.get(pk=product.pk)
    others = [limit for user, limit in most.items() if user != auction.leader_id]
    assert auction.leader_max == most[auction.leader_id] == max(most.values())
    assert max(others, default=0) <= auction.price <= auction.leader_max


@pytest.mark.parametrize("count", [1, 20], ids=["one product", "20 products"])
def test_bids_of_fifty_clients_at_once_are_each_stored_once(stack, port, seller, count):
    products = [factories.product(seller, name=f"Thing {n}") for n in range(count)]
    answers = bid_at_once(make_callers(stack, port), products)

    assert_every_201_is_one_bid(answers)
    bid_on = [product for product in products if Bid.objects.filter(product=product).exists()]
    assert len(bid_on) == count
    for product in bid_on:
        assert_the_highest_leads(answers, product)
    stack.assert_invariants()

    staff = factories.user("staff@example.com", is_staff=True)
    closers = [stack.caller(port, user) for user in (seller, staff) for _ in range(5)]
    path = f"/api/products/{products[0].pk}/close_auction/"
    closed = servers.run_concurrently([lambda caller=caller: caller.post(path, {}) for caller in closers])
    refused = [answer["code"] for status, answer in closed if status == 409]
    assert (sorted(status for status, _ in closed), set(refused)) == ([200] + [409] * 9, {"auction_already_closed"})
    auction = Auction.objects.get(pk=products[0].pk)
    assert (auction.status, auction.winner_id, auction.hammer_price) == ("sold", auction.leader_id, auction.price)
    assert AuctionEvent.objects.filter(product=products[0], kind="closed").count() == 1
    order = Order.objects.get()
    assert (order.product_id, order.buyer_id, order.hammer_price) == (auction.pk, auction.winner_id, auction.price)
    status, answer = closers[-1].bid(products[0], amount="100000")
    assert (status, answer["code"]) == (409, "auction_not_open")
    stack.assert_invariants()


def test_close_during_many_bids_comes_before_or_after_each(stack, port, seller):
    product = factories.product(seller)
    callers = make_callers(stack, port, 20)
    closer = stack.caller(port, seller)

    def close():
        servers.wait_until(lambda: Auction.objects.get(pk=product.pk).bid_count >= 10, every=0.01)
        return closer.post(f"/api/products/{product.pk}/close_auction/", {})

    def bids_of(number, caller):
        answers = []
        for step in range(40):
            answers.append(caller.bid(product, amount=str(10 + step * 20 + number)))
            if answers[-1][1].get("code") == "auction_not_open":
                break
        return answers

    made = servers.run_concurrently(
        [
            close,
            *(lambda number=number, caller=caller: bids_of(number, caller) for number, caller in enumerate(callers)),
        ]
    )
    (status, closed), answers = made[0], [answer for answers in made[1:] for answer in answers]
    assert status == 200
    assert {status for status, _ in answers} <= {201, 400, 409}
    assert all(answers[-1][1].get("code") == "auction_not_open" for answers in made[1:])
    accepted = {answer["bid"]["id"] for status, answer in answers if status == 201}
    assert accepted == {str(pk) for pk in Bid.objects.exclude(outcome="automatic").values_list("pk", flat=True)}
    assert Decimal(closed["final_price"]) == max(Bid.objects.values_list("displayed_amount", flat=True))
    stack.assert_invariants()


def test_bid_with_one_key_from_ten_connections_is_stored_once(stack, port, seller):
    bidder = factories.user("bidder@example.com")
    products = [factories.product(seller) for _ in range(5)]
    same = [stack.caller(port, bidder) for _ in range(10)]
    for product in products:

        def send(caller, product=product):
            return caller.bid(product, key=f"bid on {product.pk}", amount="9", max_amount="20")

        answers = servers.run_concurrently([lambda caller=caller, send=send: send(caller) for caller in same])
        assert [status for status, _ in answers] == [201] * 10, answers
        assert all(answer == answers[0][1] for _, answer in answers)
        assert str(Bid.objects.get(product=product).pk) == answers[0][1]["bid"]["id"]
    assert IdempotencyKey.objects.count() == len(products)
    stack.assert_invariants()

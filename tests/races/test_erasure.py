"""Account deletion with concurrent requests: it is refused, or nothing of the account is left open."""

import random
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection

from accounts.models import User
from auctions.models import Auction, Bid
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.races.harness import BID_WRITES, act, at_once, bid, findings, interleave

pytestmark = pytest.mark.servers

ROUNDS = 12


def new_user(email="mike@example.com"):
    """Without a password: the servers do not use the fast hashes of tests."""
    return User.objects.create_user(email)


def leave(caller):
    return partial(caller.send, "DELETE", "/api/users/me/", {})


def assert_gone_or_here(user, status):
    gone = not User.objects.filter(pk=user.pk, is_active=True).exists()
    assert gone == (status == 204)
    if gone:
        assert not Auction.objects.filter(status="open", leader=user).exists()
        assert not Auction.objects.filter(status="open", product__seller=user).exists()
        assert not Order.objects.filter(status="awaiting_payment", buyer=user).exists()
        assert not Order.objects.filter(status="awaiting_payment", seller=user).exists()


def test_deleted_account_beside_other_requests_owes_and_sells_nothing(server, seller, rival):
    chance = random.Random(5)
    statuses = []
    for number in range(ROUNDS):
        user = new_user(f"mike{number}@example.com")
        mine, caller, others = factories.product(user), server.caller(user), server.caller(rival)
        sold, bought = (factories.product(seller, buy_now_price=Decimal(70)) for _ in range(2))
        calls = {
            "leave": leave(caller),
            "bid": bid(server.caller(user), sold, amount="10"),
            "buy": act(server.caller(user), bought, "buy_now", price="70"),
            "list": partial(
                server.caller(user).send,
                "POST",
                "/api/products/",
                {"name": "Lamp", "category": mine.category_id, "starting_bid": 1},
            ),
            "follow": act(server.caller(user), sold, "watch"),
            "be bid": bid(others, mine, amount="10"),
        }
        # In some rounds alone: then it goes through.
        chosen = ["leave", *chance.sample(sorted(calls.keys() - {"leave"}), number % 4)]
        chance.shuffle(chosen)
        answers = dict(zip(chosen, at_once(*(calls[name] for name in chosen)), strict=True))
        status, answer = answers["leave"]
        statuses.append(status)
        assert status == 204 or answer["code"] == "account_in_use", answer
        # Each request comes before the deletion or after it.
        for name in chosen:
            assert answers[name][0] in {200, 201, 204, 401, 409}, answers
        assert_gone_or_here(user, status)
    assert 204 in statuses
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "version"])
def test_bid_overtaken_by_an_account_deletion_is_refused(unsafe_server, seller, without):
    """The version does not help here: the auction did not change."""
    user, product = new_user(), factories.product(seller)
    (status, answer), (left, _) = interleave(
        bid(unsafe_server.caller(user), product, amount="10"),
        leave(unsafe_server.caller(user)),
        without=without,
        stop=BID_WRITES,
    )
    assert (status, answer["code"], left) == (401, "token_not_valid", 204)
    assert not Bid.objects.exists()
    assert findings() == set()


def test_account_deletion_beside_a_bid_sees_the_bid_or_prevents_it(unsafe_server, seller):
    user, product = new_user(), factories.product(seller)
    (left, reasons), (status, answer) = interleave(
        leave(unsafe_server.caller(user)), bid(unsafe_server.caller(user), product, amount="10")
    )
    if connection.vendor == "postgresql":
        # It stopped at the failed-attempts row of its address, before the account.
        assert (left, reasons["reasons"], status) == (409, [{"reason": "leading", "product": product.pk}], 201)
    else:
        assert (left, status, answer["code"]) == (204, 401, "token_not_valid")
    assert findings() == set()


def test_sale_before_the_sellers_account_deletion_blocks_it(unsafe_server, rival):
    user = new_user()
    product = factories.product(user)
    auction_helpers.bid(product, rival, "10")
    close = act(unsafe_server.caller(user), product, "close_auction")
    (closed, result), (left, answer) = interleave(close, leave(unsafe_server.caller(user)))
    assert (closed, result["result"]) == (200, "sold")
    assert (left, [reason["reason"] for reason in answer["reasons"]]) == (409, ["unpaid_order"])
    assert findings() == set()

"""Purchases at once by one account: never more unpaid orders than the limit."""

import pytest
from django.conf import settings
from django.db.models import F

from accounts.models import User
from payments.models import Order
from tests import factories
from tests.races.harness import act, at_once, findings, interleave

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]

COUNTED = "users' unpaid orders are counted"


def nearly_full(user):
    """Let the account have one order less than the limit."""
    User.objects.filter(pk=user.pk).update(unpaid_orders=settings.MAX_UNPAID_ORDERS_NEW - 1)


def violations(user):
    """Return the violated invariants, once the count is without what was added to it."""
    User.objects.filter(pk=user.pk).update(unpaid_orders=F("unpaid_orders") - settings.MAX_UNPAID_ORDERS_NEW + 1)
    return findings()


def offered(seller):
    return factories.product(seller, buy_now_price=50)


def test_many_purchases_at_once_stay_within_the_limit(server, seller, bidder):
    nearly_full(bidder)
    callers = [server.caller(bidder) for _ in range(8)]
    answers = at_once(*(act(caller, offered(seller), "buy_now", price="50") for caller in callers))
    assert sorted(status for status, _ in answers) == [200] + [403] * 7
    assert {answer["code"] for status, answer in answers if status == 403} == {"unpaid_orders"}
    assert Order.objects.count() == 1
    assert violations(bidder) == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_purchase_beside_another_is_refused_at_the_limit(unsafe_server, seller, bidder, without):
    nearly_full(bidder)
    calls = [act(unsafe_server.caller(bidder), offered(seller), "buy_now", price="50") for _ in range(2)]
    (status, _), (beside, answer) = interleave(*calls, without=without)
    if not without:
        assert (status, beside, answer["code"]) == (200, 403, "unpaid_orders")
    else:
        assert (status, beside) == (200, 200)
    assert Order.objects.count() == (2 if without else 1)
    assert violations(bidder) == set()

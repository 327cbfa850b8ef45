"""An unsold product is relisted once, or sold below its reserve."""

from decimal import Decimal
from functools import partial

import pytest
from django.db import connection

from auctions.models import Auction, Product
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.races.harness import act, at_once, findings, interleave

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]

ROUNDS = 8


@pytest.fixture
def unsold(seller, bidder):
    """Make products that ended below their reserve."""

    def make():
        product = factories.product(seller, reserve_price=Decimal(100))
        auction_helpers.bid(product, bidder, "10")
        closing.close_auction(product_id=product.pk, actor=seller)
        return product

    return make


def test_relistings_and_sale_below_the_reserve_at_once_do_one(server, seller, unsold):
    callers = [server.caller(seller) for _ in range(4)]
    for _ in range(ROUNDS):
        product = unsold()
        actions = ("accept_below_reserve", "relist", "relist", "relist")
        answers = at_once(*(act(caller, product, name) for caller, name in zip(callers, actions, strict=True)))
        (sold, _), *relisted = answers
        assert [sold, *sorted(status for status, _ in relisted)] in ([200, 409, 409, 409], [409, 201, 409, 409])
        assert Order.objects.filter(product=product).exists() == (sold == 200)
        assert Product.objects.filter(relisted_from=product).exists() == (sold != 200)
    assert findings() == set()


def test_relist_with_one_key_from_ten_connections_relists_once(server, seller, unsold):
    callers = [server.caller(seller) for _ in range(10)]
    for number in range(3):
        product, key = unsold(), {"Idempotency-Key": f"relist {number}"}
        answers = at_once(*(partial(act(caller, product, "relist"), **key) for caller in callers))
        assert [status for status, _ in answers] == [201] * 10, answers
        assert all(answer == answers[0][1] for _, answer in answers)
        assert Product.objects.get(relisted_from=product).pk == answers[0][1]["id"]
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_sale_below_the_reserve_before_a_relisting_refuses_it(unsafe_server, seller, unsold, without):
    product = unsold()
    sale, again = (act(unsafe_server.caller(seller), product, name) for name in ("accept_below_reserve", "relist"))
    (status, answer), (overtook, late) = interleave(sale, again, without=without)
    if not without:
        assert (status, overtook, late["code"]) == (200, 409, "not_relistable")
        assert Auction.objects.get().status == "sold"
        assert findings() == set()
    else:
        assert (status, answer["code"], overtook) == (500, "server_error", 201)


@pytest.mark.parametrize("without", ["", "lock"])
def test_relisting_before_another_refuses_it(unsafe_server, seller, unsold, without):
    product = unsold()
    one, other = (act(unsafe_server.caller(seller), product, "relist") for _ in range(2))
    (status, answer), (overtook, late) = interleave(one, other, without=without)
    if not without:
        assert (status, overtook, late["code"]) == (201, 409, "not_relistable")
        assert findings() == set()
    else:
        # PostgreSQL's constraint refuses the second; SQLite refuses a write on an outdated snapshot.
        broken = (503, "unavailable") if connection.vendor == "sqlite" else (500, "server_error")
        assert (status, answer["code"], overtook) == (*broken, 201)

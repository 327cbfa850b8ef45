"""What bidders and sellers trust the house with is in no public answer."""

import json
from decimal import Decimal

import pytest

from auctioncraft.tests import factories
from auctions.tests import acts

pytestmark = pytest.mark.django_db
URL = "/api/products/"


def test_neither_maximum_nor_reserve_is_in_any_public_answer(client, as_user, seller, bidder, rival):
    proxied = factories.product(seller)
    acts.bid(proxied, bidder, "10")
    acts.bid(proxied, bidder, most="6543.21")
    acts.bid(proxied, bidder, most="6654.32")
    acts.bid(proxied, rival, "20")
    reserved = factories.product(seller, reserve_price=Decimal("7777.77"))
    acts.bid(reserved, bidder, "10")
    for caller in (client, as_user(rival), as_user(seller)):
        for product in (proxied, reserved):
            for path in ("", f"{product.pk}/", f"{product.pk}/bids/", f"{product.pk}/events/"):
                text = json.dumps(caller.get(URL + path).json())
                for secret in ("7777.77", "6543.21", "6654.32", product.alias_salt, "@example.com"):
                    assert secret not in text, path

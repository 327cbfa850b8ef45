"""Maximum bids and reserve prices are in no public answer."""

import json
from decimal import Decimal

import pytest

from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/products/"


def test_public_answers_contain_no_maximum_and_no_reserve(client, as_user, seller, bidder, rival):
    proxied = factories.product(seller)
    auction_helpers.bid(proxied, bidder, "10")
    auction_helpers.bid(proxied, bidder, max_amount="6543.21")
    auction_helpers.bid(proxied, bidder, max_amount="6654.32")
    auction_helpers.bid(proxied, rival, "20")
    reserved = factories.product(seller, reserve_price=Decimal("7777.77"))
    auction_helpers.bid(reserved, bidder, "10")
    for caller in (client, as_user(rival), as_user(seller)):
        for product in (proxied, reserved):
            for path in ("", f"{product.pk}/", f"{product.pk}/bids/", f"{product.pk}/events/"):
                text = json.dumps(caller.get(URL + path).json())
                for secret in ("7777.77", "6543.21", "6654.32", product.alias_salt, "@example.com"):
                    assert secret not in text, path

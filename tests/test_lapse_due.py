"""Second-chance offers that nobody answered in time."""

import pytest

from accounts.models import User
from auctioncraft.core import jobs
from auctions.models import SecondChanceOffer
from auctions.services import second_chance
from auctions.tests import auction_helpers
from tests import factories
from tests.time_travel import advance_time, let_order_expire

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


def test_lapse_due_with_failing_pages_in_front_lapses_the_others(seller, bidder, rival, monkeypatch):
    monkeypatch.setattr(jobs, "PAGE_SIZE", 1)
    products = [factories.product(seller) for _ in range(3)]
    for number, product in enumerate(products):
        auction_helpers.bid(product, rival, "20")
        auction_helpers.bid(product, bidder, "30")
        let_order_expire(product, seller)
        User.objects.update(strikes=0)
        second_chance.offer(product_id=product.pk, actor=seller)
        advance_time(product, hours=30 - number)
    log, failing = second_chance._log, {product.pk for product in products[:2]}

    def fail(auction, *args, **private):
        if auction.pk in failing:
            raise RuntimeError("no")
        log(auction, *args, **private)

    monkeypatch.setattr(second_chance, "_log", fail)
    assert second_chance.lapse_due() == 1
    assert SecondChanceOffer.objects.get(status="lapsed").product == products[2]
    failing.clear()
    assert second_chance.lapse_due() == 2

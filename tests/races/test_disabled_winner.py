"""A close beside the disabling of its winner: nobody wins who is disabled."""

from functools import partial

import pytest

from auctions.models import Auction
from auctions.services import closing
from auctions.tests import auction_helpers
from tests import factories
from tests.races.harness import end, findings, interleave, job

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]


@pytest.mark.parametrize("without", ["", "lock"])
def test_close_beside_disabling_passes_the_winner_over(unsafe_server, seller, bidder, rival, without):
    product = factories.product(seller, soft_close_window=0)
    auction_helpers.bid(product, rival, "10")
    auction_helpers.bid(product, bidder, "20")
    end(product)
    factories.user("desk@staff.example", is_staff=True)
    disable = job(partial(factories.disable_account, bidder))
    interleave(disable, job(closing.close_due), without=without)
    auction = Auction.objects.get(pk=product.pk)
    if not without:
        assert (auction.result, auction.winner, auction.hammer_price) == ("sold", rival, 10)
        assert findings() == set()
    else:
        assert (auction.result, auction.winner) == ("sold", bidder)

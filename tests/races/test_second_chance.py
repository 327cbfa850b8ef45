"""A second chance is accepted, declined or lapses: exactly one of them."""

import random
import time
from datetime import timedelta

import pytest

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Product, SecondChanceOffer
from auctions.services import closing, second_chance
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services.expiry import expire_due
from tests import factories
from tests.races.harness import act, at_once, findings, interleave, job
from tests.time_travel import advance_time

pytestmark = pytest.mark.servers

ROUNDS = 12
ANSWERS = ("second_chance_accepted", "second_chance_declined", "second_chance_lapsed")


def fallen_through(seller, bidder):
    """Return a product whose winner did not pay; `bidder` comes next, at 10."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    winner = factories.user(f"winner{product.pk}@example.com")
    auction_helpers.bid(product, winner, "30")
    closing.close_auction(product_id=product.pk, actor=seller)
    Order.objects.filter(product=product).update(due_at=clock.now())
    assert expire_due() == 1
    return product


def on_offer(seller, bidder, lasts=None):
    product = fallen_through(seller, bidder)
    second_chance.offer(product_id=product.pk, actor=seller)
    if lasts is not None:
        advance_time(product, seconds=(second_chance.OFFER_LIFETIME - lasts).total_seconds())
    return product


def assert_one_answer(product, status):
    """The offer, the event log and the orders agree."""
    assert SecondChanceOffer.objects.get(product=product).status == status
    said = AuctionEvent.objects.filter(product=product, kind__in=ANSWERS).values_list("kind", flat=True)
    assert list(said) == [f"second_chance_{status}"]
    live = Order.objects.filter(product=product, status="awaiting_payment")
    assert [order.hammer_price for order in live] == ([10] if status == "accepted" else [])
    assert (Auction.objects.get(pk=product.pk).sale_type == "second_chance") == (status == "accepted")


def wait_until(moment):
    time.sleep(max(0, (moment - clock.now()).total_seconds()))


def test_offer_accepted_at_its_end_is_accepted_or_lapses(server, seller, bidder):
    """Accept at the end of the offer while workers lapse offers all the time."""
    chance, caller = random.Random(3), server.caller(bidder)
    for _ in range(ROUNDS):
        product = on_offer(seller, bidder, lasts=timedelta(seconds=0.35))
        expires_at = SecondChanceOffer.objects.get(product=product).expires_at
        late = timedelta(milliseconds=chance.randrange(-100, 3))

        def accept(product=product, moment=expires_at + late):
            wait_until(moment)
            return act(caller, product, "accept_second_chance")()

        def lapse(expires_at=expires_at):
            lapsed = second_chance.lapse_due()
            while clock.now() < expires_at + timedelta(milliseconds=5):
                lapsed += second_chance.lapse_due()
            return lapsed

        (status, answer), *lapsed = at_once(accept, *[job(lapse)] * 2)
        lapsed.append(second_chance.lapse_due())  # what they skipped because another worker had locked it
        if status == 200:
            assert sum(lapsed) == 0
            assert_one_answer(product, "accepted")
        else:
            assert (status, answer["code"], sum(lapsed)) == (409, "second_chance_not_open", 1)
            assert_one_answer(product, "lapsed")
    assert findings() == set()


def test_offer_accepted_and_declined_at_once_has_one_answer(server, seller, bidder):
    one, other = server.caller(bidder), server.caller(bidder)
    for _ in range(ROUNDS):
        product = on_offer(seller, bidder)
        (accepted, yes), (declined, no) = at_once(
            act(one, product, "accept_second_chance"), act(other, product, "decline_second_chance")
        )
        assert sorted((accepted, declined)) == [200, 409]
        assert (yes if declined == 200 else no)["code"] == "second_chance_not_open"
        assert_one_answer(product, "accepted" if accepted == 200 else "declined")
    assert findings() == set()


def test_unpaid_product_is_offered_once_or_relisted_once(server, seller, staff, bidder):
    callers = [server.caller(user) for user in (seller, seller, staff)]
    for _ in range(5):
        product = fallen_through(seller, bidder)
        answers = at_once(
            act(callers[0], product, "relist"), *(act(caller, product, "offer_second_chance") for caller in callers[1:])
        )
        assert sorted(status for status, _ in answers) == [201, 409, 409]
        offers, again = SecondChanceOffer.objects.filter(product=product), Product.objects.filter(relisted_from=product)
        assert offers.count() + again.count() == 1
    assert findings() == set()


# Longer than a request needs until its write.
SOON = timedelta(seconds=1)


@pytest.mark.parametrize("without", ["", "lock"])
def test_acceptance_before_the_lapse_job_is_kept(unsafe_server, seller, bidder, without):
    product = on_offer(seller, bidder, lasts=SOON)

    def lapse():
        wait_until(SecondChanceOffer.objects.get().expires_at)
        return second_chance.lapse_due()

    accept = act(unsafe_server.caller(bidder), product, "accept_second_chance")
    (status, answer), lapsed = interleave(accept, job(lapse), without=without, grace=2 * SOON.total_seconds())
    if not without:
        assert (status, lapsed) == (200, 0)
        assert_one_answer(product, "accepted")
        assert findings() == set()
    else:
        # Accepted in time, but an error instead of an answer.
        assert (status, answer["code"], lapsed) == (500, "server_error", 1)


@pytest.mark.parametrize("without", ["", "lock"])
def test_acceptance_before_a_decline_refuses_the_decline(unsafe_server, seller, bidder, without):
    product = on_offer(seller, bidder)
    accept, decline = (
        act(unsafe_server.caller(bidder), product, f"{answer}_second_chance") for answer in ("accept", "decline")
    )
    (status, answer), (overtook, late) = interleave(accept, decline, without=without)
    if not without:
        assert (status, overtook, late["code"]) == (200, 409, "second_chance_not_open")
        assert_one_answer(product, "accepted")
        assert findings() == set()
    else:
        assert (status, answer["code"], overtook) == (500, "server_error", 200)

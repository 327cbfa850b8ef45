"""`kill -9` of a worker between closing and mailing, and of the web server during many bids."""

import re
import threading
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from http.client import HTTPException

import pytest

from auctioncraft.core import clock
from auctioncraft.models import IdempotencyKey
from auctions.models import Auction, Bid, EventOutbox
from auctions.services.bidding import place_bid
from notifications.models import EmailDelivery, Notification
from payments.models import Order
from tests import factories, servers

pytestmark = [pytest.mark.nightly, pytest.mark.servers]


AUCTIONS = 8
# Per sale: two outbid, one winner, one seller, two losers. The last auction has no bid.
EXPECTED = {
    "auction_lost": 2 * AUCTIONS,
    "auction_sold": AUCTIONS,
    "auction_unsold": 1,
    "auction_won": AUCTIONS,
    "outbid": 2 * AUCTIONS,
}


@pytest.fixture
def ended(stack):
    """Auctions past their end, each but the last with three bidders."""
    seller = factories.user("seller@example.com")
    bidders = [factories.user(f"bidder{n}@example.com") for n in range(3)]
    products = [factories.product(seller, name=f"Thing {n}", soft_close_window=0) for n in range(AUCTIONS + 1)]
    for product in products[:-1]:
        for step, bidder in enumerate(bidders):
            place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(10 + step * 10))
    Auction.objects.update(ends_at=clock.now())


def count_notifications():
    """Count the notifications of the kinds in this test."""
    kinds = Notification.objects.filter(kind__in=EXPECTED).values_list("kind", flat=True)
    return dict(sorted(Counter(kinds).items()))


def mailed(stack):
    texts = [path.read_text() for path in (stack.folder / "mail").glob("*.log")]
    return [found for text in texts for found in re.findall(r"^Message-ID: (<.+>)$", text, re.MULTILINE)]


def sent():
    return set(EmailDelivery.objects.filter(sent_at__isnull=False).values_list("pk", flat=True))


def closed():
    return not Auction.objects.filter(status="open").exists()


def partly_mailed():
    return closed() and not EventOutbox.objects.exists() and sent()


def all_done():
    return closed() and not EventOutbox.objects.exists() and not EmailDelivery.objects.waiting().exists()


@pytest.mark.parametrize("moment", [closed, partly_mailed])
def test_worker_killed_between_close_and_mail_is_resumed_by_the_next(stack, ended, moment):
    first = stack.work(EMAIL_BACKEND="tests.servers.SlowMail")
    servers.wait_until(moment, every=0.005, says="the worker did not get there")
    servers.kill(first)

    assert not all_done(), "killed too late to prove anything"
    sent_before = sent()
    # The lease of the killed worker lasts two minutes; the test does not wait.
    EmailDelivery.objects.waiting().update(next_attempt_at=clock.now() - timedelta(seconds=1))
    stack.work()
    servers.wait_until(all_done, every=0.1, says="the next worker did not finish")

    assert count_notifications() == EXPECTED
    assert Order.objects.count() == AUCTIONS
    assert EmailDelivery.objects.filter(next_attempt_at=None).count() == 0
    mails = mailed(stack)
    assert len(set(mails)) == EmailDelivery.objects.count()
    # A mail that was sent but not marked may go out twice, with the same Message-ID.
    assert len(mails) - len(set(mails)) <= 1
    assert sent_before <= sent()
    stack.assert_invariants()


CLIENTS, BIDS_EACH = 12, 6


def test_web_server_killed_during_bids_loses_and_repeats_nothing(stack):
    port = servers.free_port()
    web = stack.serve(port)
    seller = factories.user("seller@example.com")
    products = [factories.product(seller, name=f"Thing {n}") for n in range(3)]
    callers = [stack.caller(port, factories.user(f"bidder{n}@example.com")) for n in range(CLIENTS)]
    cut_off = threading.Semaphore(0)

    def bid_until_answered(caller, product, amount, key):
        deadline = time.monotonic() + servers.READY_TIMEOUT
        while True:
            try:
                return caller.bid(product, key=key, amount=amount)
            except (OSError, HTTPException):
                cut_off.release()
                assert time.monotonic() < deadline, stack.log("web")
                time.sleep(0.05)

    def bids_of(number, caller):
        made = []
        for step in range(BIDS_EACH):
            product, amount = products[(number + step) % 3], str(10 + step * CLIENTS + number)
            key = f"{number}:{step}"
            made.append((caller.user.pk, key, *bid_until_answered(caller, product, amount, key)))
        return made

    def kill_and_restart():
        servers.wait_until(lambda: Bid.objects.count() >= CLIENTS, every=0.002)
        servers.kill(web)
        assert cut_off.acquire(timeout=servers.READY_TIMEOUT)
        stack.serve(port)
        return []

    made = servers.run_concurrently(
        [
            kill_and_restart,
            *(lambda number=number, caller=caller: bids_of(number, caller) for number, caller in enumerate(callers)),
        ]
    )
    answers = [answer for answers in made for answer in answers]
    assert len(answers) == CLIENTS * BIDS_EACH
    assert {status for *_, status, _ in answers} <= {201, 400}
    accepted = {(user, key): answer["bid"]["id"] for user, key, status, answer in answers if status == 201}
    kept = IdempotencyKey.objects.values_list("user_id", "key", "response")
    assert {(user, key): answer["bid"]["id"] for user, key, answer in kept} == accepted
    stored = Bid.objects.exclude(outcome="automatic").values_list("pk", flat=True)
    assert sorted(map(str, stored)) == sorted(accepted.values())
    stack.assert_invariants()

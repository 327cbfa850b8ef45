"""A mail server that accepts connections and never answers: auctions are closed and bids are answered all the same."""

import socket
import time
from datetime import timedelta

import pytest

from auctioncraft import processes
from auctioncraft.core import clock
from auctions.models import Auction
from notifications.models import EmailDelivery
from tests import factories, servers

pytestmark = [pytest.mark.nightly, pytest.mark.servers]
AUCTIONS = 20  # one ends each second, longer than EMAIL_TIMEOUT


@pytest.fixture
def mail_server(stack):
    """A listener that says nothing; `accept` returns when a worker has connected."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        listener.settimeout(60)
        stack.environment |= {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(listener.getsockname()[1]),
        }
        yield listener


def test_mail_server_that_hangs_delays_neither_closes_nor_bids(stack, mail_server):
    seller, bidder = factories.user("seller@example.com"), factories.user("bidder@example.com")
    product = factories.product(seller)
    port = servers.free_port()
    stack.serve(port)
    for process in processes.workers():
        stack.start(process.name, *process.command[2:])
    caller = stack.caller(port, bidder)
    assert caller.post("/api/auth/otp/request/", {"email": "rose@example.com"})[0] == 200
    waiting, _ = mail_server.accept()

    ending, start = [factories.product(seller, soft_close_window=0) for _ in range(AUCTIONS)], clock.now()
    for number, one in enumerate(ending):
        assert caller.bid(one, amount="5")[0] == 201
        Auction.objects.filter(product=one).update(ends_at=start + timedelta(seconds=number + 3))
    answers = []
    while clock.now() < start + timedelta(seconds=AUCTIONS + 3):
        began = time.monotonic()
        assert caller.bid(product, amount=str(len(answers) + 2))[0] == 201
        answers.append(time.monotonic() - began)
        time.sleep(0.3)
    ended = Auction.objects.filter(product__in=ending)
    servers.wait_until(lambda: not ended.filter(status="open").exists(), every=0.1)

    late = [(auction.closed_at - auction.ends_at).total_seconds() for auction in ended]
    assert max(late) < 2, late
    assert max(answers) < 2, answers
    assert set(ended.values_list("result", flat=True)) == {"sold"}
    assert EmailDelivery.objects.waiting().filter(code__isnull=False).count() == 1  # nothing was sent
    waiting.close()

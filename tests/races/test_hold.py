"""A hold of a seller beside the job that transfers to them: it comes before the request to Stripe or after it."""

from functools import partial

import pytest
from django.conf import settings
from django.db import transaction

from auctioncraft.core import clock
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order, Payment, Payout, SellerAccount, SellerHold
from payments.services import orders, transfers
from tests import factories
from tests.races.harness import findings, interleave, job

pytestmark = pytest.mark.servers

# The job has read that the seller is not held, and is about to write what it will ask Stripe for.
CLAIM_WRITES = 'UPDATE "payments_payout" SET "status"'
INVARIANT = "22 no payout goes to a held seller"


def due(seller, bidder):
    """Return a payout of 20 USD that is due by transfer."""
    SellerAccount.objects.create(
        user=seller, stripe_account_id=f"acct_{seller.pk}", transfers_active=True, payouts_enabled=True
    )
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "20")
    closing.close_auction(product_id=product.pk, actor=seller)
    order, now = Order.objects.get(product=product), clock.now()
    money = {"amount": order.total, "currency": "USD", "received": order.total, "received_currency": "USD"}
    payment = Payment.objects.create(
        order=order, stripe_intent_id=f"pi_{order.pk}", **money, status="succeeded", succeeded_at=now
    )
    with transaction.atomic():
        orders.mark_paid(order=order, payment=payment, at=now)
    return Payout.objects.get(order=order)


@pytest.mark.parametrize("without", ["", "lock"])
def test_hold_beside_the_transfer_job_comes_before_or_after_it(
    unsafe_server, seller, bidder, staff, monkeypatch, without
):
    monkeypatch.setattr(settings, "STRIPE_CONNECT", True)
    payout = due(seller, bidder)
    url = f"/api/payments/payouts/{payout.pk}/hold/"
    hold = partial(unsafe_server.caller(staff).send, "POST", url, {"reason": "Buyers complain."})
    # Stripe is not running: what counts is what it would be asked for, and when.
    _, (status, answer) = interleave(job(transfers.send_due_transfers), hold, without=without, stop=CLAIM_WRITES)
    assert (status, answer["status"]) == (200, "held")
    payout.refresh_from_db()
    requested, held = payout.transfer_requested_at, SellerHold.objects.get().held_at
    if not without:
        assert requested < held
        assert INVARIANT not in findings()
    else:
        # The job had read that the seller is not held, and asks for the transfer after the hold was answered.
        assert requested > held
        assert INVARIANT in findings()

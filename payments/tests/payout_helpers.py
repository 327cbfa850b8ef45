"""Paid orders and changes of their payouts, made by the services without Stripe."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from django.core.management import call_command
from django.db import transaction

from auctioncraft.core import clock
from payments.models import Dispute, Order, Payment, Payout
from payments.services import orders, payouts

ABLE = {"transfers_active": True, "payouts_enabled": True}


def pay(order, **fields):
    """Pay an order; return its payout."""
    with transaction.atomic():
        now = clock.now()
        payment = Payment.objects.create(
            order=order, amount=order.total, currency=order.currency, status="succeeded", received=order.total,
            received_currency=order.currency, succeeded_at=now, stripe_intent_id=f"pi_{order.pk}", **fields,
        )  # fmt: skip
        orders.mark_paid(order=Order.objects.locked(order.pk), payment=payment, at=now)
    return Payout.objects.get(order=order)


def claw_back(payout, amount, **fields):
    """Claw back the seller's share of a refund of `amount`."""
    payment = Payment.objects.get(order=payout.order)
    with transaction.atomic():
        payouts.claw_back(order=payout.order, payment=payment, amount=Decimal(amount), at=clock.now(), **fields)
    payout.refresh_from_db()
    return payout


def restore(payout, amount):
    """Restore the seller's share after a refund of `amount` failed."""
    payment = Payment.objects.get(order=payout.order)
    with transaction.atomic():
        payouts.restore(order=payout.order, payment=payment, amount=Decimal(amount))
    payout.refresh_from_db()
    return payout


def dispute(payout):
    """Open a dispute of the payment."""
    return Dispute.objects.create(
        payment=Payment.objects.get(order=payout.order), stripe_dispute_id="dp_1", amount=payout.gross, currency="USD",
        status="needs_response", opened_at=clock.now(),
    )  # fmt: skip


def report(**options):
    """Return the rows of the payout report."""
    out = io.StringIO()
    call_command("payout_report", stdout=out, **options)
    return list(csv.DictReader(io.StringIO(out.getvalue())))

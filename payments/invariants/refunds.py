"""Refunds and disputes: what went back to buyers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F, Q

from auctioncraft.core import clock
from auctioncraft.core.invariants import invariant
from auctioncraft.core.model_fields import money_sum
from payments.models import Dispute, Order, Payment, Refund

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch

_COUNTED: Final = (Refund.Status.CREATING, Refund.Status.PENDING, Refund.Status.SUCCEEDED)


@invariant(15, "payments count their refunds, and refund at most what came in", over=Order)
def check_refund_limits(orders: Batch) -> Iterator[str]:
    # Counted are all but the refused.
    sums = Payment.objects.filter(orders.within("order")).annotate(
        sum=money_sum("refunds__amount", filter=Q(refunds__status__in=_COUNTED))
    )
    rows = sums.filter(Q(refunds_reserved__gt=0) | Q(sum__gt=0)).order_by("pk")
    for pk, reserved, refunds, received in rows.values_list("pk", "refunds_reserved", "sum", "received"):
        if reserved != refunds or reserved > (received or 0):
            yield f"payment {pk} counts {reserved} of refunds, and has {refunds:.3f} of {received or 0}"


@invariant(15, "orders count their refunds", over=Order)
def check_refunded_amounts(orders: Batch) -> Iterator[str]:
    # Of the payment that paid it, and of no other.
    went = Q(payments__status=Payment.Status.SUCCEEDED, payments__refunds__status=Refund.Status.SUCCEEDED)
    rows = orders.rows.annotate(sum=money_sum("payments__refunds__amount", filter=went))
    rows = rows.filter(Q(refunded__gt=0) | Q(sum__gt=0))
    for pk, refunded, total in rows.values_list("pk", "refunded", "sum"):
        if refunded != total:
            yield f"order {pk} counts {refunded} as refunded, and {total:.3f} was"


@invariant(15, "refunds are at Stripe within an hour", over=Refund)
def check_refunds_at_stripe(refunds: Batch) -> Iterator[str]:
    nameless = Q(status__in=(Refund.Status.PENDING, Refund.Status.SUCCEEDED), stripe_refund_id__isnull=True)
    foreign = ~Q(currency=F("payment__received_currency"))
    waiting = Q(status=Refund.Status.CREATING, created_at__lt=clock.now() - timedelta(hours=1))
    rows = refunds.rows.filter(nameless | foreign | waiting).values_list("pk", "status", "stripe_refund_id", "currency")
    for pk, status, refund_id, currency in rows:
        yield f"refund {pk} is {status}, its id at Stripe is {refund_id}, its currency {currency}"


@invariant(15, "disputes are closed when Stripe says so", over=Dispute)
def check_disputes(disputes: Batch) -> Iterator[str]:
    over = Q(status__in=Dispute.CLOSED_STATUSES)
    wrong = Q(over, closed_at__isnull=True) | Q(~over, closed_at__isnull=False) | Q(payment__received__isnull=True)
    for pk, status, closed_at in disputes.rows.filter(wrong).values_list("pk", "status", "closed_at"):
        yield f"dispute {pk} is {status}, and closed at {closed_at}"

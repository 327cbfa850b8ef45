"""What went back to buyers, and what their banks took back."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import F, Q

from auctioncraft.core import clock
from auctioncraft.core.model_fields import money_sum
from payments.models import Dispute, Order, Payment, Refund

_COUNTED: Final = (Refund.Status.CREATING, Refund.Status.PENDING, Refund.Status.SUCCEEDED)


def refunds_stay_below_their_ceiling() -> list[str]:
    """Refunds: a payment counts each of its refunds that was not refused, and they are at most what came in."""
    sums = Payment.objects.annotate(sum=money_sum("refunds__amount", filter=Q(refunds__status__in=_COUNTED)))
    rows = sums.filter(Q(refunds_reserved__gt=0) | Q(sum__gt=0)).order_by("pk")
    return [
        f"payment {pk} counts {refunds_reserved} of refunds, and has {refunds:.3f} of {received or 0}"
        for pk, refunds_reserved, refunds, received in rows.values_list("pk", "refunds_reserved", "sum", "received")
        if refunds_reserved != refunds or refunds_reserved > (received or 0)
    ]


def orders_know_what_was_refunded() -> list[str]:
    """Refunds: an order's `refunded` is the sum of what went back of the payment that paid it, and of no other."""
    went = Q(payments__status=Payment.Status.SUCCEEDED, payments__refunds__status=Refund.Status.SUCCEEDED)
    rows = Order.objects.annotate(sum=money_sum("payments__refunds__amount", filter=went)).order_by("pk")
    return [
        f"order {pk} counts {refunded} as refunded, and {sum_:.3f} was"
        for pk, refunded, sum_ in rows.filter(Q(refunded__gt=0) | Q(sum__gt=0)).values_list("pk", "refunded", "sum")
        if refunded != sum_
    ]


def refunds_are_at_stripe() -> list[str]:
    """Refunds: Stripe has answered each within an hour, by an id unless it refused; in the currency that came in."""
    nameless = Q(status__in=(Refund.Status.PENDING, Refund.Status.SUCCEEDED), stripe_refund_id__isnull=True)
    foreign = ~Q(currency=F("payment__received_currency"))
    waiting = Q(status=Refund.Status.CREATING, created_at__lt=clock.now() - timedelta(hours=1))
    return [
        f"refund {pk} is {status}, Stripe's id of it is {refund_id}, its currency {currency}"
        for pk, status, refund_id, currency in Refund.objects.filter(nameless | foreign | waiting)
        .order_by("pk")
        .values_list("pk", "status", "stripe_refund_id", "currency")
    ]


def disputes_end_with_their_status() -> list[str]:
    """Disputes: closed if, and only if, Stripe's word for it is one of an end; of money that came in."""
    over = Q(status__in=Dispute.CLOSED_STATUSES)
    wrong = Q(over, closed_at__isnull=True) | Q(~over, closed_at__isnull=False) | Q(payment__received__isnull=True)
    return [
        f"dispute {pk} is {status}, and closed at {closed_at}"
        for pk, status, closed_at in Dispute.objects.filter(wrong)
        .order_by("pk")
        .values_list("pk", "status", "closed_at")
    ]

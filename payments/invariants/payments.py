"""Payments, refunds and disputes: what came in and went back; and the events by which we hear of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Exists, F, OuterRef, Q

from auctioncraft.core import clock
from auctioncraft.core.invariants import describe, invariant
from auctioncraft.core.model_fields import money_sum
from payments.models import Dispute, Method, Order, Payment, Payout, Refund, StripeEvent, TransferReversal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch

_SUCCEEDED: Final = Payment.Status.SUCCEEDED
_COUNTED: Final = (Refund.Status.CREATING, Refund.Status.PENDING, Refund.Status.SUCCEEDED)


@invariant(10, "each order has at most one succeeded payment", over=Order)
def check_one_succeeded_payment(orders: Batch) -> Iterator[str]:
    # A constraint says so too.
    succeeded = Payment.objects.filter(orders.within("order"), status=_SUCCEEDED)
    several = succeeded.values("order_id").annotate(n=Count("pk")).filter(n__gt=1).order_by("order_id")
    for row in several:
        yield f"order {row['order_id']} has {row['n']} succeeded payments"


@invariant(11, "payments are for their order's total", over=Order)
def check_payment_amounts(orders: Batch) -> Iterator[str]:
    of_orders = Payment.objects.filter(orders.within("order"))
    wrong = of_orders.exclude(amount=F("order__total"), currency=F("order__currency")).order_by("pk")
    yield from describe(wrong, "payment {} is not for its order's total")


@invariant(13, "orders are paid when a payment of theirs succeeded", over=Order)
def check_paid_orders(orders: Batch) -> Iterator[str]:
    money_in = Payment.objects.filter(order_id=OuterRef("pk"), status=_SUCCEEDED, succeeded_at=OuterRef("paid_at"))
    unpaid = orders.rows.filter(~Exists(money_in), status=Order.Status.PAID)
    yield from describe(unpaid, "order {} is paid without a payment")
    succeeded = Payment.objects.filter(orders.within("order"), status=_SUCCEEDED).order_by("pk")
    unheard = succeeded.exclude(order__status=Order.Status.PAID)
    yield from describe(unheard, "payment {} succeeded and its order is not paid")


@invariant((13, 15), "received money pays its order or is surplus", over=Order)
def check_money_in(orders: Batch) -> Iterator[str]:
    # A surplus is to be refunded.
    of_orders = Payment.objects.filter(orders.within("order")).order_by("pk")
    opened, came = (_SUCCEEDED, Payment.Status.SURPLUS, Payment.Status.OPEN), (_SUCCEEDED, Payment.Status.SURPLUS)
    unnamed = Q(status__in=opened, stripe_intent_id__isnull=True, method=Method.STRIPE)
    lacking = unnamed | Q(status__in=came, succeeded_at__isnull=True)
    yield from describe(of_orders.filter(lacking), "payment {} lacks its intent or its time")
    stray = of_orders.exclude(status__in=came).filter(succeeded_at__isnull=False)
    yield from describe(stray, "payment {}: its money came, and neither pays the order nor is surplus")


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


@invariant(24, "sellers give back what they were sent before it is refunded", over=Order)
def check_reversals_first(orders: Batch) -> Iterator[str]:
    # Refunds that we requested and nobody forced. The dashboard's are made by staff, by their name at Stripe.
    ours = Refund.objects.filter(
        orders.within("payment__order"),
        payment__status=Payment.Status.SUCCEEDED,
        stripe_refund_id__isnull=False,
        requested_by__isnull=False,
        forced_reason="",
    )
    late = Q(reversal__completed_at__isnull=True) | Q(reversal__completed_at__gt=F("settled_at"))
    early = Q(late, reversal__isnull=False)
    payout = "payment__order__payout__"
    sent = Q(
        **{f"{payout}route__in": (Payout.Route.TRANSFER, Payout.Route.DESTINATION)},
        **{f"{payout}paid_at__lt": F("created_at")},
        # So that a share of the least refund does not round to nothing.
        **{f"{payout}amount__gte": F(f"{payout}gross") / 10},
    )
    # With an earlier reversal the seller may have been owed as much again.
    reversals = TransferReversal.objects.filter(payout__order=OuterRef("payment__order"))
    before = Exists(reversals.filter(completed_at__lt=OuterRef("created_at")))
    without = Q(sent, ~before, reversal__isnull=True)
    by_hand = Q(**{f"{payout}route": Payout.Route.MANUAL, f"{payout}paid_at__lt": F("created_at")})
    wrong = ours.filter(early | without | by_hand).order_by("pk")
    yield from describe(wrong, "refund {} was made before the seller gave their share back, and nobody decided so")


@invariant(15, "refunds are at Stripe within an hour", over=Refund)
def check_refunds_at_stripe(refunds: Batch) -> Iterator[str]:
    made = Q(status__in=(Refund.Status.PENDING, Refund.Status.SUCCEEDED), method=Method.STRIPE)
    nameless = Q(made, stripe_refund_id__isnull=True)
    foreign = ~Q(currency=F("payment__received_currency"))
    waiting = Q(status=Refund.Status.CREATING, created_at__lt=clock.now() - timedelta(hours=1))
    rows = refunds.rows.filter(nameless | foreign | waiting).values_list("pk", "status", "stripe_refund_id", "currency")
    for pk, status, refund_id, currency in rows:
        yield f"refund {pk} is {status}, its id at Stripe is {refund_id}, its currency {currency}"


@invariant(15, "disputes are closed when Stripe says so", over=Dispute)
def check_disputes(disputes: Batch) -> Iterator[str]:
    over = Q(status__in=Dispute.CLOSED_STATUSES)
    wrong = Q(over, closed_at__isnull=True) | Q(~over, closed_at__isnull=False) | Q(payment__received__isnull=True)
    yield from describe(disputes.rows.filter(wrong), "dispute {} is {}, and closed at {}", "status", "closed_at")


@invariant(14, "Stripe events are processed within an hour")
def check_events_processed() -> Iterator[str]:
    waiting = StripeEvent.objects.filter(
        processed_at__isnull=True, received_at__lt=clock.now() - timedelta(hours=1)
    ).order_by("pk")
    yield from describe(waiting, "event {} was not processed: {}", "last_error")
    failed = StripeEvent.objects.filter(processed_at__isnull=False).exclude(last_error="").order_by("pk")
    yield from describe(failed, "event {} is processed and has an error")

"""Payouts: what sellers are due of what came in, and what they were sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, F, OuterRef, Q

from auctioncraft.core import clock, money
from auctioncraft.core.invariants import describe, invariant
from auctioncraft.core.model_fields import money_sum
from payments.models import Order, Payment, Payout, SellerHold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from auctioncraft.core.invariants import Batch

# A job brings payouts to what a hold says.
_LATE: Final = timedelta(minutes=10)


@invariant(13, "paid orders have a payout of their total", over=Order)
def check_paid_orders_have_payouts(orders: Batch) -> Iterator[str]:
    payout = Payout.objects.filter(
        order_id=OuterRef("pk"),
        seller_id=OuterRef("seller_id"),
        currency=OuterRef("currency"),
        gross=OuterRef("total"),
    )
    without = orders.rows.filter(~Exists(payout), status=Order.Status.PAID)
    yield from describe(without, "order {} is paid and has no payout of its total")
    unpaid = _of(orders).exclude(order__status=Order.Status.PAID)
    yield from describe(unpaid, "payout {} is of an order that is not paid")


@invariant(15, "sellers give back their share of refunds", over=Order)
def check_clawed_back(orders: Batch) -> Iterator[str]:
    for payout in _of(orders).filter(refunded_gross__gt=0).iterator():
        share = payout.amount
        if payout.refunded_gross != payout.gross:
            share = money.round_half_up(payout.amount * payout.refunded_gross / payout.gross, payout.currency)
        if payout.clawed_back != share:
            yield f"payout {payout.pk} has {payout.clawed_back} of {share} clawed back, for {payout.refunded_gross}"


@invariant(15, "payout statuses match their amounts", over=Order)
def check_payout_balances(orders: Batch) -> Iterator[str]:
    # What was paid by hand comes back by hand.
    left = Q(amount__gt=F("clawed_back"))
    wrong = (
        Q(left, status=Payout.Status.VOID)
        | Q(~left, status__in=Payout.UNPAID_STATUSES)
        | Q(~Q(status__in=(Payout.Status.PAID, Payout.Status.OUTSIDE)), transferred__gt=0)
    )
    yield from describe(_of(orders).filter(wrong), "payout {} is not what its amounts say")
    paid = _of(orders).filter(status=Payout.Status.PAID, clawed_back__gt=0).exclude(route=Payout.Route.MANUAL)
    pending = Q(reversals__completed_at__isnull=True, reversals__canceled_at__isnull=True)
    reversing = money_sum("reversals__amount", filter=pending)
    for payout in paid.annotate(reversing=reversing).iterator():
        if -payout.owed > payout.reversing:
            yield f"payout {payout.pk}: its seller has {-payout.owed} too much, {payout.reversing:.3f} is in reversal"


@invariant(22, "no payout goes to a held seller", over=Order)
def check_no_payout_while_held(orders: Batch) -> Iterator[str]:
    # A transfer that Stripe was asked for before the hold may arrive after it.
    holds = SellerHold.objects.filter(seller_id=OuterRef("seller_id"))
    asked = (
        _of(orders)
        .filter(transfer_requested_at__isnull=False)
        .filter(
            Exists(
                holds.filter(held_at__lte=OuterRef("transfer_requested_at")).filter(
                    Q(released_at__isnull=True) | Q(released_at__gt=OuterRef("transfer_requested_at"))
                )
            )
        )
    )
    yield from describe(asked, "payout {} was sent to a seller who was held")
    held = Exists(holds.filter(released_at__isnull=True))
    late = Q(held, status=Payout.Status.DUE) | Q(~held, status=Payout.Status.HELD)
    stale = _of(orders).filter(late, created_at__lt=clock.now() - _LATE)
    yield from describe(stale, "payout {} is {}, and its seller's hold says otherwise", "status")


@invariant(15, "payouts match Stripe's transfers", over=Order)
def check_transfers(orders: Batch) -> Iterator[str]:
    # A destination payment passes the seller's part on by itself.
    nameless = _of(orders).filter(route=Payout.Route.TRANSFER, status=Payout.Status.PAID, stripe_transfer_id="")
    yield from describe(nameless, "payout {} was sent, and has no transfer")
    payment = Payment.objects.filter(
        order_id=OuterRef("order_id"), status=Payment.Status.SUCCEEDED, fee=OuterRef("fee")
    ).exclude(destination="")
    wrong = _of(orders).filter(~Exists(payment), route=Payout.Route.DESTINATION)
    yield from describe(wrong, "payout {} is not what its payment passed on")


def _of(orders: Batch) -> QuerySet[Any]:
    return Payout.objects.filter(orders.within("order")).order_by("pk")

"""Payouts: what sellers are due of what came in, and what has reached them (invariants 13 and 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Exists, F, OuterRef, Q

from auctioncraft.core import money
from auctioncraft.core.model_fields import money_sum
from payments.invariants.keys import keys
from payments.models import Order, Payment, Payout

if TYPE_CHECKING:
    from django.db.models import QuerySet


def paid_orders_have_a_payout() -> list[str]:
    """Invariant 13: an order is paid if, and only if, a payout of all that was paid is due to its seller."""
    payout = Payout.objects.filter(
        order_id=OuterRef("pk"),
        seller_id=OuterRef("seller_id"),
        currency=OuterRef("currency"),
        gross=OuterRef("total"),
    )
    without = Order.objects.filter(~Exists(payout), status=Order.Status.PAID)
    unpaid = Payout.objects.exclude(order__status=Order.Status.PAID)
    return [f"order {pk} is paid and has no payout of its total" for pk in keys(without)] + [
        f"payout {pk} is of an order that is not paid" for pk in keys(unpaid)
    ]


def payouts_take_back_the_sellers_share() -> list[str]:
    """Invariant 15: of what buyers got back, sellers bear their share, to the smallest amount of the currency."""
    rows = Payout.objects.filter(refunded_gross__gt=0).order_by("pk")
    return [
        f"payout {payout.pk} has {payout.clawed_back} reversed of {payout.amount}, for {payout.refunded_gross}"
        for payout in rows.iterator(2000)
        if payout.clawed_back
        != (
            payout.amount
            if payout.refunded_gross == payout.gross
            else money.round_half_up(payout.amount * payout.refunded_gross / payout.gross, payout.currency)
        )
    ]


def payouts_are_levelled() -> list[str]:
    """Invariant 15: a payout is void if, and only if, nothing is left of it; what a seller has too much is asked back.

    What was paid by hand comes back by hand.
    """
    left = Q(amount__gt=F("clawed_back"))
    wrong = (
        Q(left, status=Payout.Status.VOID)
        | Q(~left, status__in=Payout.UNPAID_STATUSES)
        | Q(~Q(status=Payout.Status.PAID), transferred__gt=0)
    )
    paid: QuerySet[Any] = Payout.objects.filter(status=Payout.Status.PAID, clawed_back__gt=0)
    taken = paid.exclude(route=Payout.Route.MANUAL)
    asked = money_sum("reversals__amount", filter=Q(reversals__completed_at__isnull=True))
    return [f"payout {pk} is not what its amounts say" for pk in keys(Payout.objects.filter(wrong))] + [
        f"payout {payout.pk}: its seller has {-payout.owed} too much, of which {payout.asked:.3f} is asked back"
        for payout in taken.annotate(asked=asked).order_by("pk").iterator(2000)
        if -payout.owed > payout.asked
    ]


def transfers_are_at_stripe() -> list[str]:
    """Invariant 15: what Stripe sent has its id there; what has a destination was paid with its payment's fee."""
    nameless = Payout.objects.filter(route=Payout.Route.TRANSFER, status=Payout.Status.PAID, stripe_transfer_id="")
    passed_on = Payment.objects.filter(
        order_id=OuterRef("order_id"), status=Payment.Status.SUCCEEDED, fee=OuterRef("fee")
    ).exclude(destination="")
    strange = Payout.objects.filter(~Exists(passed_on), route=Payout.Route.DESTINATION)
    return [f"payout {pk} was sent, and has no transfer" for pk in keys(nameless)] + [
        f"payout {pk} is not what its payment passed on" for pk in keys(strange)
    ]

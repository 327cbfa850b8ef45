"""Payments: what came in, for which order, and by which PaymentIntent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Count, Exists, F, OuterRef, Q

from auctioncraft.core.invariants import invariant
from payments.models import Order, Payment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch

_SUCCEEDED: Final = Payment.Status.SUCCEEDED


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
    for pk in wrong.values_list("pk", flat=True):
        yield f"payment {pk} is not for its order's total"


@invariant(13, "orders are paid when a payment of theirs succeeded", over=Order)
def check_paid_orders(orders: Batch) -> Iterator[str]:
    money_in = Payment.objects.filter(order_id=OuterRef("pk"), status=_SUCCEEDED, succeeded_at=OuterRef("paid_at"))
    unpaid = orders.rows.filter(~Exists(money_in), status=Order.Status.PAID)
    for pk in unpaid.values_list("pk", flat=True):
        yield f"order {pk} is paid without a payment"
    succeeded = Payment.objects.filter(orders.within("order"), status=_SUCCEEDED)
    for pk in succeeded.exclude(order__status=Order.Status.PAID).order_by("pk").values_list("pk", flat=True):
        yield f"payment {pk} succeeded and its order is not paid"


@invariant((13, 15), "received money pays its order or is surplus", over=Order)
def check_money_in(orders: Batch) -> Iterator[str]:
    # A surplus is to be refunded.
    of_orders = Payment.objects.filter(orders.within("order")).order_by("pk")
    created = Q(status__in=(Payment.Status.OPEN, _SUCCEEDED, Payment.Status.SURPLUS), stripe_intent_id__isnull=True)
    came = Q(status__in=(_SUCCEEDED, Payment.Status.SURPLUS))
    for pk in of_orders.filter(created | (came & Q(succeeded_at__isnull=True))).values_list("pk", flat=True):
        yield f"payment {pk} lacks its intent or its time"
    for pk in of_orders.filter(~came, succeeded_at__isnull=False).values_list("pk", flat=True):
        yield f"payment {pk}: its money came, and neither pays the order nor is surplus"

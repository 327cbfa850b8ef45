"""Payments: what came in, for which order, and of which PaymentIntent (invariants 10-15)."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, Exists, F, OuterRef, Q

from payments.invariants.keys import keys
from payments.models import Order, Payment

_SUCCEEDED: Final = Payment.Status.SUCCEEDED


def one_succeeded_payment_per_order() -> list[str]:
    """Invariant 10, second half."""
    several = Payment.objects.filter(status=_SUCCEEDED).values("order_id").annotate(n=Count("pk")).filter(n__gt=1)
    return [f"order {row['order_id']} has {row['n']} succeeded payments" for row in several.order_by("order_id")]


def payments_are_for_their_orders() -> list[str]:
    """Invariant 11: every payment has the order's total and currency."""
    wrong = Payment.objects.exclude(amount=F("order__total"), currency=F("order__currency")).order_by("pk")
    return [f"payment {pk} is not for its order's total" for pk in wrong.values_list("pk", flat=True)]


def paid_means_money() -> list[str]:
    """Invariant 13: an order is paid if, and only if, one of its payments succeeded, and at that moment."""
    money_in = Payment.objects.filter(order_id=OuterRef("pk"), status=_SUCCEEDED, succeeded_at=OuterRef("paid_at"))
    unpaid = Order.objects.filter(~Exists(money_in), status=Order.Status.PAID).order_by("pk")
    untold = Payment.objects.filter(status=_SUCCEEDED).exclude(order__status=Order.Status.PAID).order_by("pk")
    return [f"order {pk} is paid without a payment" for pk in unpaid.values_list("pk", flat=True)] + [
        f"payment {pk} succeeded and its order is not paid" for pk in untold.values_list("pk", flat=True)
    ]


def money_has_an_intent() -> list[str]:
    """Invariants 13 and 15: a payment past its making has its PaymentIntent's id, money that came its moment.

    What came and did not pay its order is marked surplus, to be refunded: paid_means_money says which did.
    """
    made = Q(status__in=(Payment.Status.OPEN, _SUCCEEDED, Payment.Status.SURPLUS), stripe_intent_id__isnull=True)
    came = Q(status__in=(_SUCCEEDED, Payment.Status.SURPLUS))
    timed = came & Q(succeeded_at__isnull=True)
    lost = Payment.objects.filter(~came, succeeded_at__isnull=False)
    return [f"payment {pk} lacks its intent or its moment" for pk in keys(Payment.objects.filter(made | timed))] + [
        f"payment {pk}: its money came, and is neither the order's nor surplus" for pk in keys(lost)
    ]

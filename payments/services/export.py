"""What this app keeps about somebody, for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Prefetch, Q

from auctioncraft import money
from payments.models import Order, Payment

if TYPE_CHECKING:
    from accounts.models import User

_AMOUNTS: Final = ("hammer_price", "buyers_premium", "shipping", "total")
_MOMENTS: Final = ("created_at", "due_at", "paid_at", "expired_at")


def sections(*, user: User) -> dict[str, list[dict[str, Any]]]:
    """Return what they bought, with the payments, and what they sold; the other party by display name only."""
    payments = Prefetch("payments", Payment.objects.order_by("pk"))
    orders = Order.objects.with_parties().prefetch_related(payments).filter(Q(buyer=user) | Q(seller=user))
    rows = list(orders.order_by("pk"))
    return {
        "purchases": [
            {**_row(order), "seller": order.seller.display_name, "payments": [*map(_payment, order.payments.all())]}
            for order in rows
            if order.buyer_id == user.pk
        ],
        "sales": [{**_row(order), "buyer": order.buyer.display_name} for order in rows if order.seller_id == user.pk],
    }


def _row(order: Order) -> dict[str, Any]:
    return {
        "id": order.pk,
        "product": order.product_id,
        "name": order.product.name,
        "currency": order.currency,
        **{field: money.to_text(getattr(order, field), order.currency) for field in _AMOUNTS},
        "status": order.status,
        **{field: getattr(order, field) for field in _MOMENTS},
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "payment_intent_id": payment.intent_id,
        "amount": money.to_text(payment.amount, payment.currency),
        "currency": payment.currency,
        "status": payment.status,
        "created_at": payment.created_at,
        "succeeded_at": payment.succeeded_at,
    }

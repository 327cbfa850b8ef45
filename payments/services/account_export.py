"""What this app adds to a user's data export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Prefetch, Q

from auctioncraft.core import money
from payments.models import Order, Payment, Payout, Refund, SavedCard, SellerAccount

if TYPE_CHECKING:
    from accounts.models import User

_AMOUNTS: Final = ("hammer_price", "buyers_premium", "shipping", "total", "refunded")
# By the names that the export shows.
_SHARE: Final = {
    "gross": "gross", "fee": "fee", "amount": "amount", "reversed": "clawed_back", "sent": "transferred",
}  # fmt: skip
_ACCOUNT: Final = ("details_submitted", "charges_enabled", "payouts_enabled", "requirements")
_CARD: Final = ("id", "brand", "last4", "exp_month", "exp_year", "created_at")
_MOMENTS: Final = ("created_at", "due_at", "paid_at", "expired_at")


def export_account(*, user: User) -> dict[str, list[dict[str, Any]]]:
    """Return what they bought, with the payments, what they sold and are due of it, and their cards.

    Others are named by display name only.
    """
    refunds = Prefetch("refunds", Refund.objects.order_by("pk"))
    payments = Prefetch("payments", Payment.objects.order_by("pk").prefetch_related(refunds))
    orders = Order.objects.with_parties().prefetch_related(payments).filter(Q(buyer=user) | Q(seller=user))
    rows = list(orders.order_by("pk"))
    return {
        "purchases": [
            {**_row(order), "seller": order.seller.display_name, "payments": [*map(_payment, order.payments.all())]}
            for order in rows
            if order.buyer_id == user.pk
        ],
        "sales": [{**_row(order), "buyer": order.buyer.display_name} for order in rows if order.seller_id == user.pk],
        "payouts": [*map(_payout, Payout.objects.filter(seller=user).order_by("pk"))],
        "seller_accounts": list(
            SellerAccount.objects.filter(user=user).values(*_ACCOUNT, account_id=F("stripe_account_id"))
        ),
        "saved_cards": list(SavedCard.objects.filter(user=user).values(*_CARD, charge_when_winning=F("auto_charge"))),
    }


def _payout(payout: Payout) -> dict[str, Any]:
    return {
        "order": payout.order_id,
        "currency": payout.currency,
        **{name: money.to_text(getattr(payout, field), payout.currency) for name, field in _SHARE.items()},
        "route": payout.route,
        "status": payout.status,
        "created_at": payout.created_at,
        "paid_at": payout.paid_at,
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
        "payment_intent_id": payment.stripe_intent_id,
        "amount": money.to_text(payment.amount, payment.currency),
        "currency": payment.currency,
        "status": payment.status,
        "created_at": payment.created_at,
        "succeeded_at": payment.succeeded_at,
        "refunds": [*map(_refund, payment.refunds.all())],
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "amount": money.to_text(refund.amount, refund.currency),
        "currency": refund.currency,
        "reason": refund.reason,
        "status": refund.status,
        "created_at": refund.created_at,
        "settled_at": refund.settled_at,
    }

"""What this app adds to a user's data export."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, Q

from auctioncraft.core import money
from payments.models import Order, Payment, Payout, Refund, SavedCard, SellerAccount

if TYPE_CHECKING:
    from accounts.models import User


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
            {**_order(order), "seller": order.seller.display_name, "payments": [*map(_payment, order.payments.all())]}
            for order in rows
            if order.buyer_id == user.pk
        ],
        "sales": [{**_order(order), "buyer": order.buyer.display_name} for order in rows if order.seller_id == user.pk],
        "payouts": [*map(_payout, Payout.objects.filter(seller=user).order_by("pk"))],
        "seller_accounts": [*map(_account, SellerAccount.objects.filter(user=user))],
        "saved_cards": [*map(_card, SavedCard.objects.filter(user=user))],
    }


def _order(order: Order) -> dict[str, Any]:
    amounts = ("currency", "hammer_price", "buyers_premium", "shipping", "total", "refunded")
    states = ("status", "created_at", "due_at", "paid_at", "expired_at")
    return {"name": order.product.name, **_values(order, "id", *amounts, *states, product="product_id")}


def _payment(payment: Payment) -> dict[str, Any]:
    names = ("method", "reference", "amount", "currency", "status", "created_at", "succeeded_at")
    values = _values(payment, *names, payment_intent_id="stripe_intent_id", received_on="dated")
    return {**values, "refunds": [*map(_refund, payment.refunds.all())]}


def _refund(refund: Refund) -> dict[str, Any]:
    return _values(refund, "method", "reference", "amount", "currency", "reason", "status", "created_at", "settled_at")


def _payout(payout: Payout) -> dict[str, Any]:
    names = ("currency", "gross", "fee", "amount", "route", "status", "created_at", "paid_at")
    return _values(payout, *names, order="order_id", reversed="clawed_back", sent="transferred")


def _account(account: SellerAccount) -> dict[str, Any]:
    names = ("details_submitted", "charges_enabled", "payouts_enabled", "requirements")
    return _values(account, *names, account_id="stripe_account_id")


def _card(card: SavedCard) -> dict[str, Any]:
    names = ("id", "brand", "last4", "exp_month", "exp_year", "created_at")
    return _values(card, *names, charge_when_winning="auto_charge")


def _values(row: Any, *fields: str, **renamed: str) -> dict[str, Any]:
    """Return fields of a row by their names in the export; amounts as text in its currency."""
    values = {name: getattr(row, field) for name, field in (dict(zip(fields, fields, strict=True)) | renamed).items()}
    return {
        name: money.to_text(value, row.currency) if isinstance(value, Decimal) else value
        for name, value in values.items()
    }

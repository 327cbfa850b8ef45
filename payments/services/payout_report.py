"""The payout report: what each seller was due, got, and is due now, as CSV for the staff who pay them."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db.models import OuterRef, Subquery

from auctioncraft.core import money
from payments.models import Payment, Payout

if TYPE_CHECKING:
    from datetime import datetime

    from _typeshed import SupportsWrite
    from django.db.models import QuerySet

COLUMNS: Final = (
    *("order", "product", "name", "seller", "seller_email", "currency", "gross", "fee", "amount", "reversed", "paid"),
    *(
        "due_now",
        "owed_back",
        "route",
        "status",
        "blocked_by",
        "sold_at",
        "opened_at",
        "paid_at",
        "transfer",
        "payment",
    ),
)
# What makes a spreadsheet take a cell for a formula, in full width too. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def select(*, since: datetime | None = None, until: datetime | None = None, due: bool = False) -> QuerySet[Payout]:
    """Return the payouts opened from `since` and before `until`, UTC, the oldest first; `due`: with anything to pay."""
    payouts: QuerySet[Payout] = (Payout.objects.owed() if due else Payout.objects.all()).order_by("pk")
    payouts = payouts.filter(created_at__gte=since) if since else payouts
    return payouts.filter(created_at__lt=until) if until else payouts


def write(*, payouts: QuerySet[Payout], file: SupportsWrite[str]) -> None:
    """Write payouts as CSV with a heading. No cell is one that a spreadsheet would run.

    Names the sellers' addresses: for staff only.
    """
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    paid = Payment.objects.filter(order_id=OuterRef("order_id"), status=Payment.Status.SUCCEEDED)
    payouts = payouts.annotate(payment_method=Subquery(paid.values("method")[:1]))
    for payout in payouts.select_related("order__product", "seller").iterator(2000):
        rows.writerow([_escape_formula(cell) for cell in _row(payout)])


def _row(payout: Any) -> tuple[object, ...]:
    due, back = max(payout.owed, Decimal(0)), max(-payout.owed, Decimal(0))
    amounts = (payout.gross, payout.fee, payout.amount, payout.clawed_back, payout.transferred, due, back)
    moments = (payout.order.created_at, payout.created_at, payout.paid_at)
    return (
        *(payout.order_id, payout.order.product_id, payout.order.product.name, payout.seller_id, payout.seller.email),
        payout.currency,
        *(money.to_text(amount, payout.currency) for amount in amounts),
        *(payout.route, payout.status, payout.blocked_by),
        *(moment and f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments),
        payout.stripe_transfer_id,
        payout.payment_method,
    )


def _escape_formula(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text

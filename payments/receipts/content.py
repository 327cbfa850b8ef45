"""An order's receipt: its amounts, what was paid and what was refunded.

Built from the rows on each request. It is a receipt, not a tax invoice: taxes are not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from django.conf import settings

from auctioncraft.core import money
from payments.models import Dispute, Method, Order, Payment, Refund

if TYPE_CHECKING:
    from datetime import datetime

_PENDING: Final = (Refund.Status.CREATING, Refund.Status.PENDING)


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One row of a receipt: a label and a formatted amount; `is_total` rows are printed bold."""

    label: str
    amount: str
    note: str = ""
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The content of a receipt. Names are user input: escape them."""

    title: str
    number: str
    payment_status: str
    product: str
    product_id: int
    seller: str
    buyer: str
    currency: str
    lines: tuple[ReceiptLine, ...]
    site: str


def build_receipt(order: Order) -> Receipt:
    """Return the receipt of an order or, before it is paid, a statement of what is due."""
    return Receipt(
        title="Receipt" if order.status == Order.Status.PAID else "Statement",
        number=f"AC-{order.pk:08d}",  # never changes
        payment_status=_payment_status(order),
        product=order.product.name,
        product_id=order.product_id,
        seller=order.seller.display_name,
        buyer=order.buyer.display_name,
        currency=order.currency,
        lines=(*_charge_lines(order), *_payment_lines(order)),
        site=settings.SITE_URL,
    )


def _payment_status(order: Order) -> str:
    if order.paid_at is not None:
        return f"Paid on {_format_date(order.paid_at)}."
    if order.status == Order.Status.AWAITING_PAYMENT:
        return f"Not paid yet. Due by {order.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    return "Not paid in time. Nothing is due."


def _charge_lines(order: Order) -> list[ReceiptLine]:
    """Return the amounts that add up to the total."""
    lines = [_format_line(order, "Hammer price", order.hammer_price)]
    if order.buyers_premium:
        lines.append(_format_line(order, "Buyer's premium", order.buyers_premium, note=_premium_note(order)))
    if order.shipping:
        lines.append(_format_line(order, "Shipping", order.shipping))
    return [*lines, _format_line(order, "Total", order.total, is_total=True)]


def _payment_lines(order: Order) -> list[ReceiptLine]:
    """Return what was paid, what is due, and the refunds and chargebacks since then."""
    if order.paid_at is None:
        due = order.total if order.status == Order.Status.AWAITING_PAYMENT else Decimal(0)
        return [_format_line(order, "Due", due, is_total=True)]
    lines = [
        _format_line(order, "Paid", -order.total, note=_paid_note(order, order.paid_at)),
        _format_line(order, "Due", Decimal(0), is_total=True),
    ]
    if back := _returned_amounts(order):
        lines += [_format_line(order, label, amount, note=_format_date(at)) for at, label, amount in back]
        left = order.total - sum(amount for _, _, amount in back)
        lines.append(_format_line(order, "Net paid", left, is_total=True))
    pending = Refund.objects.filter(payment__order=order, payment__status=Payment.Status.SUCCEEDED, status__in=_PENDING)
    lines += [
        _format_line(order, "Refund pending", amount)
        for amount in pending.order_by("pk").values_list("amount", flat=True)
    ]
    return lines


def _paid_note(order: Order, at: datetime) -> str:
    """Return when it was paid and, outside Stripe, how: `2026-11-30, bank transfer ABC-1`."""
    payment = Payment.objects.filter(order=order, status=Payment.Status.SUCCEEDED).exclude(method=Method.STRIPE).first()
    if payment is None or payment.dated is None:
        return _format_date(at)
    how = "" if payment.method == Method.OTHER else f", {payment.get_method_display().lower()}"
    return f"{payment.dated:%Y-%m-%d}{how} {payment.reference}".rstrip()


def _returned_amounts(order: Order) -> list[tuple[datetime, str, Decimal]]:
    """Return refunds and chargebacks of the payment that paid the order, oldest first."""
    of_payment = {"payment__order": order, "payment__status": Payment.Status.SUCCEEDED}
    refunds = Refund.objects.filter(**of_payment, status=Refund.Status.SUCCEEDED)
    lost = Dispute.objects.filter(**of_payment, status="lost")
    back = [
        *((refund.settled_at, "Refunded", refund.amount) for refund in refunds),
        *((dispute.closed_at, "Chargeback", dispute.amount) for dispute in lost),
    ]
    return sorted((at, label, amount) for at, label, amount in back if at is not None)


def _premium_note(order: Order) -> str:
    """Return how the premium is calculated: `20% of the first 1,000.00, 12% of the rest`."""
    bands = [(Decimal(start), Decimal(percent)) for start, percent in order.product.premium_bands]
    reached = [band for band in bands if band[0] < order.hammer_price]
    parts = [
        f"{percent.normalize():f}% {'of the next' if start else 'of the first'} "
        f"{money.format_amount(end - start, order.currency)}"
        for (start, percent), (end, _) in pairwise(reached)
    ]
    last = [f"{percent.normalize():f}% of {'the rest' if parts else 'the hammer price'}" for _, percent in reached[-1:]]
    return ", ".join((*parts, *last))


def _format_line(order: Order, label: str, amount: Decimal, *, note: str = "", is_total: bool = False) -> ReceiptLine:
    text = money.format_amount(abs(amount), order.currency)
    return ReceiptLine(label, f"-{text}" if amount < 0 else text, note, is_total)


def _format_date(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"

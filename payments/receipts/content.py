"""What a buyer gets in writing: the sums of an order, what was paid, what went back.

Put together from the rows whenever somebody asks, so it is never behind them. It is a receipt, not a tax invoice: the
house knows of no tax.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.template.loader import render_to_string

from auctioncraft.core import money
from payments.models import Dispute, Order, Payment, Refund

if TYPE_CHECKING:
    from datetime import datetime

_ON_ITS_WAY: Final = (Refund.Status.CREATING, Refund.Status.PENDING)


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One sum of a receipt, written out; `is_total` of those above it."""

    label: str
    amount: str
    note: str = ""
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is read. Names are as people gave them, so whoever shows it escapes them."""

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


def receipt_number(order: Order) -> str:
    """Return the number of an order's receipt: an order has one, and it never changes."""
    return f"AC-{order.pk:08d}"


def build_receipt(order: Order) -> Receipt:
    """Return the receipt of an order with its parties read; before it is paid, a statement of what is due."""
    return Receipt(
        title="Receipt" if order.status == Order.Status.PAID else "Statement",
        number=receipt_number(order),
        payment_status=_standing(order),
        product=order.product.name,
        product_id=order.product_id,
        seller=order.seller.display_name,
        buyer=order.buyer.display_name,
        currency=order.currency,
        lines=(*_owed(order), *_settled(order)),
        site=settings.SITE_URL,
    )


def render_html(receipt: Receipt) -> str:
    """Return it as a page that loads nothing."""
    return render_to_string("payments/receipt.html", {"receipt": receipt})


def render_pdf(receipt: Receipt, *, at: datetime) -> bytes:
    """Return it as a PDF made `at`, UTC."""
    from payments.receipts import pdf  # noqa: PLC0415 (half a second and 20 MB, for processes that make one)

    return pdf.render(receipt, at=at)


def _standing(order: Order) -> str:
    if order.paid_at is not None:
        return f"Paid on {_day(order.paid_at)}."
    if order.status == Order.Status.AWAITING_PAYMENT:
        return f"Not paid yet. Due by {order.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    return "Not paid. The sale fell through, and nothing is due."


def _owed(order: Order) -> list[ReceiptLine]:
    """Return what adds up to the total."""
    lines = [_line(order, "Hammer price", order.hammer_price)]
    if order.buyers_premium:
        lines.append(_line(order, "Buyer's premium", order.buyers_premium, note=_bands(order)))
    if order.shipping:
        lines.append(_line(order, "Shipping", order.shipping))
    return [*lines, _line(order, "Total", order.total, is_total=True)]


def _settled(order: Order) -> list[ReceiptLine]:
    """Return what was paid of the total, what went back of that, and what is left."""
    if order.paid_at is None:
        due = order.total if order.status == Order.Status.AWAITING_PAYMENT else Decimal(0)
        return [_line(order, "Due", due, is_total=True)]
    lines = [
        _line(order, "Paid", -order.total, note=_day(order.paid_at)),
        _line(order, "Due", Decimal(0), is_total=True),
    ]
    if back := _gone_back(order):
        lines += [_line(order, label, amount, note=_day(at)) for at, label, amount in back]
        left = order.total - sum(amount for _, _, amount in back)
        lines.append(_line(order, "Paid, less what went back", left, is_total=True))
    on_its_way = Refund.objects.filter(
        payment__order=order, payment__status=Payment.Status.SUCCEEDED, status__in=_ON_ITS_WAY
    )
    lines += [
        _line(order, "Refund on its way", amount)
        for amount in on_its_way.order_by("pk").values_list("amount", flat=True)
    ]
    return lines


def _gone_back(order: Order) -> list[tuple[datetime, str, Decimal]]:
    """Return what went back of the payment that paid it, the oldest first; a surplus paid nothing."""
    of_payment = {"payment__order": order, "payment__status": Payment.Status.SUCCEEDED}
    refunds = Refund.objects.filter(**of_payment, status=Refund.Status.SUCCEEDED)
    lost = Dispute.objects.filter(**of_payment, status="lost")
    back = [
        *((refund.settled_at, "Refunded", refund.amount) for refund in refunds),
        *((dispute.closed_at, "Taken back by the buyer's bank", dispute.amount) for dispute in lost),
    ]
    return sorted((at, label, amount) for at, label, amount in back if at is not None)


def _bands(order: Order) -> str:
    """Return how the premium comes about: `20% of the first 1,000.00, 12% of the rest`."""
    bands = [(Decimal(start), Decimal(percent)) for start, percent in order.product.premium_bands]
    reached = [band for band in bands if band[0] < order.hammer_price]
    parts = [
        f"{percent.normalize():f}% {'of the next' if start else 'of the first'} "
        f"{money.format_amount(end - start, order.currency)}"
        for (start, percent), (end, _) in pairwise(reached)
    ]
    last = [f"{percent.normalize():f}% of {'the rest' if parts else 'the hammer price'}" for _, percent in reached[-1:]]
    return ", ".join((*parts, *last))


def _line(order: Order, label: str, amount: Decimal, *, note: str = "", is_total: bool = False) -> ReceiptLine:
    text = money.format_amount(abs(amount), order.currency)
    return ReceiptLine(label, f"-{text}" if amount < 0 else text, note, is_total)


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"

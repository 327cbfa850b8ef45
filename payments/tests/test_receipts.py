"""GET /api/payments/orders/{id}/receipt/ and /receipt/pdf/."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape

import pytest

from payments import receipts
from payments.models import Dispute, Order, Payment, Refund
from payments.receipts import ReceiptLine
from payments.tests.conftest import sell

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def url(order, suffix=""):
    return f"/api/payments/orders/{order.pk}/receipt/{suffix}"


def paid(order):
    """Mark the order paid and return its payment."""
    Order.objects.filter(pk=order.pk).update(status="paid", paid_at=AT)
    return Payment.objects.create(
        order=order, stripe_intent_id=f"pi_{order.pk}", amount=order.total, currency=order.currency, status="succeeded",
        received=order.total, received_currency=order.currency, succeeded_at=AT,
    )  # fmt: skip


def refund(payment, amount, status="succeeded", **fields):
    settled_at = AT if status == "succeeded" else None
    return Refund.objects.create(
        payment=payment,
        amount=Decimal(amount),
        currency=payment.currency,
        status=status,
        settled_at=settled_at,
        **fields,
    )


def receipt_of(order):
    return receipts.build_receipt(Order.objects.with_parties().get(pk=order.pk))


def lines_of(order):
    return [(line.label, line.amount) for line in receipt_of(order).lines]


def test_receipt_before_payment_is_a_statement_of_what_is_due(order):
    receipt = receipt_of(order)
    assert (receipt.title, receipt.number) == ("Statement", f"AC-{order.pk:08d}")
    assert receipt.payment_status == f"Not paid yet. Due by {order.due_at:%Y-%m-%d %H:%M} UTC."
    assert receipt.lines == (
        ReceiptLine("Hammer price", "19.99"),
        ReceiptLine("Total", "19.99", is_total=True),
        ReceiptLine("Due", "19.99", is_total=True),
    )


def test_receipt_after_payment_shows_payment_and_nothing_due(order):
    paid(order)
    receipt = receipt_of(order)
    assert (receipt.title, receipt.payment_status) == ("Receipt", "Paid on 2026-11-20.")
    assert receipt.lines == (
        ReceiptLine("Hammer price", "19.99"),
        ReceiptLine("Total", "19.99", is_total=True),
        ReceiptLine("Paid", "-19.99", "2026-11-20"),
        ReceiptLine("Due", "0.00", is_total=True),
    )


def test_receipt_of_unpaid_expired_order_shows_nothing_due(order):
    Order.objects.filter(pk=order.pk).update(status="expired", expired_at=AT)
    receipt = receipt_of(order)
    assert receipt.payment_status == "Not paid in time. Nothing is due."
    assert receipt.lines[-1] == ReceiptLine("Due", "0.00", is_total=True)


@pytest.mark.parametrize(
    ("price", "premium", "note"),
    [
        ("900", "180.00", "20% of the hammer price"),
        ("1000", "200.00", "20% of the hammer price"),
        ("1500", "262.50", "20% of the first 1,000.00, 12.5% of the rest"),
        ("6000", "750.00", "20% of the first 1,000.00, 12.5% of the next 4,000.00, 5% of the rest"),
    ],
)
def test_receipt_premium_note_lists_the_bands(settings, seller, bidder, price, premium, note):
    settings.BUYERS_PREMIUM_BANDS = [
        (Decimal(0), Decimal(20)),
        (Decimal(1000), Decimal("12.5")),
        (Decimal(5000), Decimal(5)),
    ]
    product = sell(seller, bidder, price, shipping=Decimal("7.50"))
    lines = receipt_of(Order.objects.get(product=product)).lines
    assert lines[1:3] == (ReceiptLine("Buyer's premium", premium, note), ReceiptLine("Shipping", "7.50"))


def test_receipt_with_refunds_subtracts_succeeded_and_lists_pending(order):
    payment = paid(order)
    for amount, status in (("5.00", "succeeded"), ("1.00", "pending"), ("2.00", "failed"), ("0.50", "creating")):
        refund(payment, amount, status)
    assert lines_of(order)[2:] == [
        ("Paid", "-19.99"),
        ("Due", "0.00"),
        ("Refunded", "5.00"),
        ("Net paid", "14.99"),
        ("Refund pending", "1.00"),
        ("Refund pending", "0.50"),
    ]


def test_receipt_with_surplus_payment_leaves_it_out(order):
    paid(order)
    surplus = Payment.objects.create(
        order=order, stripe_intent_id="pi_twice", amount=order.total, currency="USD", status="surplus",
        received=order.total,
        received_currency="USD", succeeded_at=AT,
    )  # fmt: skip
    refund(surplus, "19.99")
    assert lines_of(order)[-1] == ("Due", "0.00")


def test_receipt_with_dispute_shows_it_only_when_lost(order):
    payment = paid(order)
    Dispute.objects.create(
        payment=payment,
        stripe_dispute_id="du_1",
        amount=payment.amount,
        currency="USD",
        status="needs_response",
        opened_at=AT,
    )
    assert lines_of(order)[-1] == ("Due", "0.00")
    Dispute.objects.update(status="lost", closed_at=AT)
    assert lines_of(order)[-2:] == [
        ("Chargeback", "19.99"),
        ("Net paid", "0.00"),
    ]


@pytest.mark.parametrize(
    ("currency", "price", "text"),
    [("JPY", "1234567", "1,234,567"), ("KWD", "1234.56", "1,234.560"), ("USD", "1234.5", "1,234.50")],
)
def test_receipt_amounts_have_the_decimals_of_the_currency(as_user, seller, bidder, currency, price, text):
    order = Order.objects.get(product=sell(seller, bidder, price, currency=currency))
    page = as_user(bidder).get(url(order)).content.decode()
    assert re.findall(r"<td>(.*?)</td>", page) == [f"{text} {currency}"] * 3


@pytest.mark.parametrize("who", ["bidder", "seller", "staff"])
def test_receipt_for_buyer_seller_and_staff_is_html_and_pdf(request, as_user, order, who):
    caller = as_user(request.getfixturevalue(who))
    page, document = caller.get(url(order)), caller.get(url(order, "pdf/"))
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert (document.status_code, document["Content-Type"]) == (200, "application/pdf")
    assert document["Content-Disposition"] == f'attachment; filename="AC-{order.pk:08d}.pdf"'
    assert (document.content[:5], document.content[-6:].strip()) == (b"%PDF-", b"%%EOF")
    assert page["Cache-Control"] == document["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("suffix", ["", "pdf/"])
def test_receipt_for_others_is_404_and_other_methods_405(client, as_user, rival, winner, order, suffix):
    answer = as_user(rival).get(url(order, suffix))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client.get(url(order, suffix)).status_code == 401
    assert winner.post(url(order, suffix)).status_code == 405


def test_receipt_html_escapes_names_and_loads_nothing(winner, order):
    order.product.name = "<script>alert(1)</script>\"'&"
    order.product.save(update_fields=("name",))
    order.seller.display_name = "</bdi><img src=x onerror=y>"
    order.seller.save(update_fields=("display_name",))
    answer = winner.get(url(order))
    page = answer.content.decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "<script>alert(1)</script>\"'&" in unescape(page)
    assert answer["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def test_receipt_shows_display_names_and_no_email(winner, order):
    page = winner.get(url(order)).content.decode()
    assert order.seller.display_name in page
    assert order.buyer.display_name in page
    assert order.seller.email not in page
    assert order.buyer.email not in page

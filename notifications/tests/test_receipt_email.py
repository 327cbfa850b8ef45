"""The email that a payment was received: with the receipt to the buyer, without it to the seller."""

from __future__ import annotations

from decimal import Decimal
from email import message_from_bytes, policy

import pytest

from auctioncraft.core import clock
from notifications.email import compose
from notifications.models import EmailDelivery, Notification
from notifications.tests.test_email import Page, words
from payments.models import Order, Payment, Refund
from payments.signals import payment_succeeded
from payments.tests.conftest import sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(seller, bidder):
    """A paid order of 250 USD."""
    order = Order.objects.get(
        product=sell(seller, bidder, "250", name="<b>Violin</b> & 🎻 ساعة", shipping=Decimal("12.50"))
    )
    EmailDelivery.objects.all().delete()
    order.status, order.paid_at = "paid", clock.now()
    order.save(update_fields=("status", "paid_at"))
    Payment.objects.create(
        order=order, stripe_intent_id="pi_1", amount=order.total, currency="USD", status="succeeded",
        received=order.total,
        received_currency="USD", succeeded_at=order.paid_at,
    )  # fmt: skip
    payment_succeeded.send(sender=Order, order=order)
    return order


def mail_to(person):
    """Return the recipient's only waiting email as a mail server gets it."""
    delivery = EmailDelivery.objects.select_related("notification__recipient", "code").get(
        notification__recipient=person
    )
    return message_from_bytes(compose(delivery).message().as_bytes(), policy=policy.default)


def test_buyer_gets_receipt_in_text_and_as_pdf(order, bidder):
    mail = mail_to(bidder)
    body, attached = mail.iter_parts()
    text, html = (part.get_content() for part in body.iter_parts())
    day = f"{order.paid_at:%Y-%m-%d}"
    page = Page(html)
    assert text == (
        "The payment of 262.50 USD for “<b>Violin</b> & 🎻 ساعة” was received.\n\n"
        f"Receipt AC-{order.pk:08d}\nPaid on {day}.\nProduct <b>Violin</b> & 🎻 ساعة\n"
        f"Sold by {order.seller.display_name}\n\n"
        "Hammer price                          250.00 USD\n"
        "Shipping                               12.50 USD\n"
        "Total                                 262.50 USD\n"
        f"Paid                                 -262.50 USD\n  {day}\n"
        "Due                                     0.00 USD\n\n"
        "The receipt is attached as a PDF. You can also find it in your order.\n\n-- \n"
        "You receive this email because you have an AuctionCraft account. Emails about money and security are always "
        "sent.\nAuctionCraft, http://127.0.0.1:8000\n\n"
    )
    assert words(text.replace("\n-- \n", "\n")).strip() in words(page.seen)
    assert "<b>Violin" not in html
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "a", "link", "script", "iframe", "form", "svg", "object"})
    assert (attached.get_content_type(), attached.get_filename()) == ("application/pdf", f"AC-{order.pk:08d}.pdf")
    assert attached.get_content().startswith(b"%PDF-")


def test_receipt_shows_the_order_at_the_time_of_sending(order, bidder):
    Refund.objects.create(
        payment=order.payments.get(), amount=50, currency="USD", status="succeeded", settled_at=order.paid_at
    )
    body = next(mail_to(bidder).iter_parts())
    text = next(body.iter_parts()).get_content()
    assert "Refunded                               50.00 USD\n" in text
    assert "Net paid                              212.50 USD\n" in text


def test_seller_gets_no_receipt(order, seller):
    mail = mail_to(seller)
    assert mail.get_content_type() == "multipart/alternative"
    assert "Receipt" not in mail.as_string()


def test_other_notifications_have_no_receipt(order, bidder):
    Notification.objects.filter(recipient=bidder, kind="payment_succeeded").update(kind="payment_due")
    assert mail_to(bidder).get_content_type() == "multipart/alternative"

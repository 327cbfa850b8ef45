"""Paid orders, their refunds and disputes."""

from __future__ import annotations

from payments.models import Order, OrderEvent, Payment, StripeEvent
from payments.tests.conftest import build_event, post_event, request_intent

URL = "/api/payments/orders/"


def pay(client, double, winner, product, card="pm_card_visa"):
    """Pay the winner's order with this card and deliver the event; return the order."""
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id, card)
    post_event_about(client, "payment_intent.succeeded", double.intent(intent_id), event_id=f"evt_{intent_id}")
    return Order.objects.get(product=product, buyer__isnull=False)


def post_event_about(client, kind, subject, *, event_id="evt_1"):
    """Deliver an event about this object; return the stored event."""
    answer = post_event(client, build_event(subject, kind, event_id))
    assert answer.status_code == 200, answer.content
    return StripeEvent.objects.get(pk=event_id)


def post_refund_event(client, order, kind="refund.updated", *, event_id="evt_1"):
    """Deliver a refund event that names only the payment: its refunds are read from Stripe."""
    payment = order.payments.get(received__isnull=False)
    return post_event_about(
        client, kind, {"object": "refund", "payment_intent": payment.stripe_intent_id}, event_id=event_id
    )


def refund(caller, order, key=None, **body):
    """Call the refund action, with a note, which staff must give."""
    headers = {"Idempotency-Key": key} if key else {}
    return caller.post(f"{URL}{order.pk}/refund/", {"note": "A test.", **body}, format="json", headers=headers)


def outcome(answer):
    """Return the status of a response and its error code, if any."""
    return answer.status_code, answer.json().get("code")


def at_stripe(double, order):
    """Return the refunds of an order's payments at Stripe, oldest first."""
    found = []
    for payment in order.payments.order_by("pk"):
        params = {"payment_intent": payment.stripe_intent_id}
        found += double.get("/v1/refunds", **params)["data"][::-1]
    return found


def in_dashboard(double, order, **params):
    """Make a refund in Stripe's dashboard."""
    made = double.post("/v1/refunds", payment_intent=order.payments.get().stripe_intent_id, **params)
    assert made["object"] == "refund", made
    return made


def refund_totals(order):
    """Return the refunded amount of the order and of each payment, and the status of each refund."""
    order.refresh_from_db()
    payments = Payment.objects.filter(order=order).order_by("pk")
    refunds_reserved = [str(payment.refunds_reserved) for payment in payments]
    return (
        str(order.refunded),
        *refunds_reserved,
        *[row.status for payment in payments for row in payment.refunds.order_by("pk")],
    )


def kinds(order):
    """Return the kinds of the order's events after it was paid."""
    happened = list(OrderEvent.objects.filter(order=order).order_by("pk").values_list("kind", flat=True))
    return happened[happened.index("paid") + 1 :]

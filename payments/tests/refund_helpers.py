"""Paid orders, and what goes back of them, for the tests of refunds and disputes."""

from __future__ import annotations

from payments.models import Order, OrderEvent, Payment, StripeEvent
from payments.tests.conftest import build_event, post_event, request_intent

URL = "/api/payments/orders/"


def pay(client, double, winner, product, card="pm_card_visa"):
    """Pay the winner's order with this card, and have Stripe tell of it; return the order."""
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id, card)
    post_event_about(client, "payment_intent.succeeded", double.intent(intent_id), event_id=f"evt_{intent_id}")
    return Order.objects.get(product=product, buyer__isnull=False)


def post_event_about(client, kind, subject, *, event_id="evt_1"):
    """Deliver an event about this object; return what became of it."""
    answer = post_event(client, build_event(subject, kind, event_id))
    assert answer.status_code == 200, answer.content
    return StripeEvent.objects.get(pk=event_id)


def post_refund_event(client, order, kind="refund.updated", *, event_id="evt_1"):
    """Deliver an event that says only which payment has something new: the rest is read again."""
    payment = order.payments.get(received__isnull=False)
    return post_event_about(
        client, kind, {"object": "refund", "payment_intent": payment.stripe_intent_id}, event_id=event_id
    )


def refund(caller, order, key=None, **body):
    """Call the action."""
    headers = {"Idempotency-Key": key} if key else {}
    return caller.post(f"{URL}{order.pk}/refund/", body, format="json", headers=headers)


def outcome(answer):
    """Return the status of an answer, and its code if it is a refusal."""
    return answer.status_code, answer.json().get("code")


def at_stripe(double, order):
    """Return the refunds of an order's payments at Stripe, the oldest first."""
    found = []
    for payment in order.payments.order_by("pk"):
        params = {"payment_intent": payment.stripe_intent_id}
        found += double.get("/v1/refunds", **params)["data"][::-1]
    return found


def in_dashboard(double, order, **params):
    """Refund as staff do in Stripe's dashboard."""
    made = double.post("/v1/refunds", payment_intent=order.payments.get().stripe_intent_id, **params)
    assert made["object"] == "refund", made
    return made


def refund_totals(order):
    """Return what an order and its payments count as refunded, and how its refunds stand."""
    order.refresh_from_db()
    payments = Payment.objects.filter(order=order).order_by("pk")
    refunds_reserved = [str(payment.refunds_reserved) for payment in payments]
    return (
        str(order.refunded),
        *refunds_reserved,
        *[row.status for payment in payments for row in payment.refunds.order_by("pk")],
    )


def kinds(order):
    """Return what happened to an order, after it was paid."""
    happened = list(OrderEvent.objects.filter(order=order).order_by("pk").values_list("kind", flat=True))
    return happened[happened.index("paid") + 1 :]

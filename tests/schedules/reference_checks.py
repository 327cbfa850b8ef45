"""What must be true once everything has come to rest: our rows against what the bank has, by another telling."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from notifications.models import Notification
from payments.models import Dispute, Order, Payment, Refund
from tests.schedules.schedule import EXPONENTS

if TYPE_CHECKING:
    from tests.schedules.fake_stripe import FakeStripe
    from tests.schedules.schedule import Schedule


def find_differences(stripe: FakeStripe, schedules: list[Schedule]) -> list[str]:
    """Return a line for everything that does not add up."""
    orders = {order.pk: order for order in Order.objects.all()}
    paid_too_late = set().union(*(schedule.paid_too_late for schedule in schedules))
    intents = {intent["id"]: intent for intent in stripe.list_all("payment_intents")}
    return [
        *_paid_once(orders, paid_too_late, intents),
        *_each_payment(intents),
        *_refunds(stripe, orders, intents),
        *_refunded_as_asked(set().union(*(schedule.dashboard_refunds for schedule in schedules))),
        *_disputes(stripe),
        *_sums(stripe, intents),
        *_notified_once(orders),
    ]


def _paid_once(orders: dict[int, Order], paid_too_late: set[int], intents: dict[str, Any]) -> list[str]:
    money: Counter[int] = Counter()
    for intent in intents.values():
        if intent["status"] == "succeeded":
            money[int(intent["metadata"]["order"])] += 1
    lines = [f"order {pk} was paid {times} times at Stripe" for pk, times in money.items() if times > 1]
    for pk, order in orders.items():
        paid = order.status == Order.Status.PAID
        if paid and not money[pk]:
            lines.append(f"order {pk} is paid, and Stripe has no money for it")
        if money[pk] and not paid and pk not in paid_too_late:
            lines.append(f"order {pk} is {order.status}, and Stripe has its money")
    return lines


def _each_payment(intents: dict[str, Any]) -> list[str]:
    lines, known = (
        [],
        {payment.stripe_intent_id: payment for payment in Payment.objects.filter(stripe_intent_id__isnull=False)},
    )
    for intent_id, intent in intents.items():
        payment = known.pop(intent_id, None)
        came = _amount(intent["amount_received"], intent["currency"])
        if payment is None:
            if intent["status"] != "canceled":
                lines.append(f"{intent_id} is {intent['status']} at Stripe, and none of ours")
        elif (payment.received or 0) != came:
            lines.append(f"{intent_id} brought {came}, our row says {payment.received}")
        elif payment.status == "canceled" and intent["status"] != "canceled":
            lines.append(f"{intent_id} is {intent['status']} at Stripe, canceled by our row")
    return lines + [f"{intent_id} is not at Stripe" for intent_id in known]


def _refunds(stripe: FakeStripe, orders: dict[int, Order], intents: dict[str, Any]) -> list[str]:
    theirs = {refund["id"]: refund for refund in stripe.list_all("refunds")}
    ours = {refund.stripe_refund_id: refund for refund in Refund.objects.filter(stripe_refund_id__isnull=False)}
    lines = [f"refund {pk} is at one side only" for pk in theirs.keys() ^ ours.keys()]
    back: Counter[int] = Counter()
    for pk in theirs.keys() & ours.keys():
        refund, row = theirs[pk], ours[pk]
        if (row.status, row.amount) != (refund["status"], _amount(refund["amount"], refund["currency"])):
            lines.append(
                f"refund {pk} is {refund['status']} {refund['amount']}, our row says {row.status} {row.amount}"
            )
        if refund["status"] == "succeeded":
            back[int(intents[refund["payment_intent"]]["metadata"]["order"])] += refund["amount"]
    lines += [f"refund {row.pk} was never sent" for row in Refund.objects.filter(status="creating")]
    return lines + [
        f"order {pk} says that {order.refunded} went back, Stripe {back[pk]}"
        for pk, order in orders.items()
        if order.status == Order.Status.PAID and order.refunded != _amount(back[pk], order.currency)
    ]


def _refunded_as_asked(by_hand: set[str]) -> list[str]:
    """What nobody asked us for was made in the dashboard: a request that was sent twice would look like that, too."""
    found = set(Refund.objects.filter(requested_by__isnull=True).values_list("stripe_refund_id", flat=True))
    return [f"refund {pk} was made by nobody" for pk in found - by_hand]


def _disputes(stripe: FakeStripe) -> list[str]:
    theirs = {dispute["id"]: dispute["status"] for dispute in stripe.list_all("disputes")}
    ours = dict(Dispute.objects.values_list("stripe_dispute_id", "status"))
    return [
        f"dispute {pk}: Stripe {theirs.get(pk)}, ours {ours.get(pk)}" for pk in theirs if ours.get(pk) != theirs[pk]
    ]


def _sums(stripe: FakeStripe, intents: dict[str, Any]) -> list[str]:
    """Every currency on its own: what came less what went back, by our rows and by the bank's balance."""
    theirs: Counter[str] = Counter()
    for intent in intents.values():
        theirs[intent["currency"].upper()] += intent["amount_received"]
    for refund in stripe.list_all("refunds"):
        if refund["status"] in {"succeeded", "pending"}:
            theirs[refund["currency"].upper()] -= refund["amount"]
    ours: Counter[str] = Counter()
    # Not by the database: SQLite adds in binary.
    for currency, amount in Payment.objects.filter(received__isnull=False).values_list("received_currency", "received"):
        ours[currency] += amount
    gone = Refund.objects.filter(status__in=("succeeded", "pending"))
    for currency, amount in gone.values_list("currency", "amount"):
        ours[currency] -= amount
    return [
        f"{currency}: ours {ours[currency]}, Stripe's {_amount(theirs[currency], currency)}"
        for currency in EXPONENTS
        if ours[currency] != _amount(theirs[currency], currency)
    ]


def _notified_once(orders: dict[int, Order]) -> list[str]:
    """One receipt for the buyer and one note for the seller of each paid order."""
    notified = Counter(Notification.objects.filter(kind="payment_succeeded").values_list("product__orders", flat=True))
    return [
        f"order {pk}, {order.status}: {notified[pk]} notifications that it is paid"
        for pk, order in orders.items()
        if notified[pk] != (2 if order.status == Order.Status.PAID else 0)
    ]


def _amount(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-EXPONENTS[currency.upper()])

"""One random schedule: what buyers, sellers, banks, Stripe and our workers do, in any order, dying now and then."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from auctioncraft.core import clock
from auctioncraft.core.errors import DomainError
from payments.models import Order, Payment, Refund, StripeEvent
from payments.services import checkout, expiry, refunds, webhooks
from payments.tests.conftest import sell
from tests.schedules.crashes import Crashes
from tests.schedules.fake_stripe import signed_delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from tests.schedules.fake_stripe import FakeStripe

# By currency: its decimals (this test's own table), and prices with any of them.
EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
PRICES = {
    "USD": ("19.99", "0.57", "1234.56"),
    "EUR": ("9.01", "70.10"),
    "JPY": ("500", "123457"),
    "KWD": ("1.230", "57.990"),
}
CARDS = (
    *("pm_card_visa",) * 6,
    *("pm_card_visa_chargeDeclined", "pm_card_threeDSecure2Required", "pm_usBankAccount_processing"),
    *("pm_card_createDispute", "pm_card_refundFail"),
)
DUPLICATES = 10
# How often what happens: each is a method of Schedule.
WEIGHTS = {
    "buy": 4,
    "check_out": 3,
    "pay": 4,
    "bank_decides": 3,
    "deliver_events": 8,
    "run_job": 5,
    "refund": 5,
    "refund_at_the_dashboard": 1,
    "cancel_at_the_dashboard": 1,
    "close_dispute": 1,
    "pass_due_time": 1,
}
ORDERS = (1, 2)
# Most schedules are short: what goes wrong does so within a few steps.
STEPS = ((4, 10), (4, 10), (4, 10), (10, 30))


class Schedule:
    """Some orders and what happens to them. At the end `finish` lets everything come to rest."""

    def __init__(self, stripe: FakeStripe, seller: User, buyer: User, seed: int) -> None:
        self.stripe, self.seller, self.chance = stripe, seller, Random(seed)
        self.crashes, self.counts, self.seen = Crashes(self.chance), Counter[str](), list[dict[str, Any]]()
        self.orders = [
            self._order(buyer, self.chance.choice(sorted(PRICES))) for _ in range(self.chance.randint(*ORDERS))
        ]
        # Expired while a bank was still at it, beyond all patience: the money that comes then is late.
        self.paid_too_late: set[int] = set()
        self.dashboard_refunds: set[str] = set()
        self.delivered: set[str] = set()

    def _order(self, buyer: User, currency: str) -> Order:
        price = self.chance.choice(PRICES[currency])
        starting_bid = "50" if currency == "JPY" else "0.50"
        return Order.objects.get(product=sell(self.seller, buyer, price, currency=currency, starting_bid=starting_bid))

    def run(self) -> None:
        """Take the steps."""
        self.stripe.skip_events()
        acts: dict[str, Callable[[], None]] = {name: getattr(self, f"_{name}") for name in WEIGHTS}
        with self.crashes.installed():
            for _ in range(self.chance.randint(*self.chance.choice(STEPS))):
                name = self.chance.choices([*acts], [*WEIGHTS.values()])[0]
                self.counts[name] += 1
                with self.crashes.may_happen():
                    acts[name]()
            self.finish()
        self.counts["crashes"] += self.crashes.count

    def finish(self) -> None:
        """Deliver most of what was not delivered, and let the workers run. What is lost, reconciliation must find."""
        if self.chance.random() < 0.5:
            self._make_due()
            self._run_all_jobs()
        self.seen += self.stripe.new_events()
        unheard = [event for event in self.seen if event["id"] not in self.delivered]
        self._deliver([event for event in unheard if self.chance.random() < 0.8])
        for _ in range(2):
            self._make_due()
            self._run_all_jobs()

    def _some_order(self) -> Order:
        order = self.chance.choice(self.orders)
        order.refresh_from_db()
        return order

    def _check_out(self) -> None:
        order = self._some_order()
        try:
            checkout.create_payment_intent(product_id=order.product_id, user_id=order.buyer_id)
        except DomainError as refusal:
            self.counts[f"checkout {refusal.code}"] += 1

    def _buy(self) -> None:
        """All at once, as most buyers do."""
        self._check_out()
        self._pay()
        self.seen += self.stripe.new_events()
        self._deliver(self.seen[-4:])

    def _intent(self, *statuses: str) -> str | None:
        """Return one of the intents that our side knows, if it is so at Stripe."""
        known = Payment.objects.filter(order__in=self.orders, stripe_intent_id__isnull=False).order_by("pk")
        found = [
            pk
            for pk in known.values_list("stripe_intent_id", flat=True)
            if self.stripe.get(f"/v1/payment_intents/{pk}")["status"] in statuses
        ]
        return self.chance.choice(found) if found else None

    def _pay(self) -> None:
        intent_id = self._intent("requires_payment_method", "requires_confirmation", "requires_action")
        if intent_id:
            self.stripe.post(
                f"/v1/payment_intents/{intent_id}/confirm",
                payment_method=self.chance.choice(CARDS),
                return_url="https://shop.test/",
            )

    def _bank_decides(self) -> None:
        outcome = self.chance.choice(("succeed", "succeed", "fail"))
        if intent_id := self._intent("requires_action"):
            self.stripe.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome=outcome)
        elif intent_id := self._intent("processing"):
            self.stripe.post(f"/_double/payment_intents/{intent_id}/settle", outcome=outcome)
        else:
            for refund_id in Refund.objects.filter(
                payment__order__in=self.orders, stripe_refund_id__isnull=False
            ).values_list("stripe_refund_id", flat=True):
                self.stripe.post(f"/_double/refunds/{refund_id}/settle", outcome="fail")

    def _deliver_events(self) -> None:
        """Have some events come, in any order, the same one up to ten times."""
        self.seen += self.stripe.new_events()
        if self.seen:
            chosen = self.chance.choices(self.seen, k=self.chance.randint(1, 4))
            again = chosen[:1] * self.chance.choice((0, 0, 0, 1, DUPLICATES - 1))
            self._deliver(chosen + again)

    def _deliver(self, events: list[dict[str, Any]]) -> None:
        self.chance.shuffle(events)
        for event in events:
            self.delivered.add(event["id"])
            with self.crashes.may_happen(self.crashes.odds):
                webhooks.receive(**signed_delivery(event))

    def _run_job(self) -> None:
        self._make_due()
        self.chance.choice((webhooks.process_due, refunds.send_due, expiry.expire_due, expiry.cancel_stale_intents))()

    def _run_all_jobs(self) -> None:
        webhooks.process_due()
        refunds.send_due()
        expiry.expire_due()
        expiry.cancel_stale_intents()

    def _make_due(self) -> None:
        """Let every wait for a next attempt be over."""
        for model in (StripeEvent, Refund, Payment, Order):
            waiting = model.objects.filter(next_attempt_at__isnull=False)
            waiting.update(next_attempt_at=clock.now(), attempts=0, lease=None)

    def _refund(self) -> None:
        """Ask for a part or all of what was paid; now and then for more than there is."""
        paid = [order for order in self.orders if Order.objects.filter(pk=order.pk, status="paid").exists()]
        if not paid:
            self._buy()
            return
        order = self.chance.choice(paid)
        amount = None
        if self.chance.random() < 0.85:
            unit = Decimal(1).scaleb(-min(EXPONENTS[order.currency], 2))
            amount = max(
                (order.total * self.chance.randint(1, self.chance.choice((30, 30, 30, 120))) / 100).quantize(unit), unit
            )
        try:
            request = refunds.RefundRequest(amount=amount)
            refunds.refund_order(order_id=order.pk, actor=self.seller, request=request)
        except DomainError as refusal:
            self.counts[f"refund {refusal.code}"] += 1

    def _refund_at_the_dashboard(self) -> None:
        if intent_id := self._intent("succeeded"):
            amount = {"amount": self.chance.randint(1, 5) * 10} if self.chance.random() < 0.8 else {}
            made = self.stripe.post("/v1/refunds", payment_intent=intent_id, **amount)
            self.dashboard_refunds |= {made["id"]} if "id" in made else set()

    def _cancel_at_the_dashboard(self) -> None:
        if intent_id := self._intent("requires_payment_method", "requires_action"):
            self.stripe.post(f"/v1/payment_intents/{intent_id}/cancel")

    def _close_dispute(self) -> None:
        mine = set(Payment.objects.filter(order__in=self.orders).values_list("stripe_intent_id", flat=True))
        for dispute in self.stripe.get("/v1/disputes", limit=20)["data"]:
            if dispute["payment_intent"] in mine:
                outcome = self.chance.choice(("won", "lost"))
                self.stripe.post(f"/_double/disputes/{dispute['id']}/close", outcome=outcome)

    def _pass_due_time(self) -> None:
        """Let an order's time be up; now and then by so much that nobody waits for a bank any more."""
        order = self._some_order()
        if order.status == Order.Status.AWAITING_PAYMENT:
            at_stripe = order.payments.filter(stripe_intent_id__isnull=False).values_list("stripe_intent_id", flat=True)
            statuses = {self.stripe.get(f"/v1/payment_intents/{intent_id}")["status"] for intent_id in at_stripe}
            late = timedelta(hours=1)
            if "processing" in statuses and self.chance.random() < 0.5:
                late = timedelta(days=20)
                self.paid_too_late.add(order.pk)
            Order.objects.filter(pk=order.pk).update(due_at=clock.now() - late)

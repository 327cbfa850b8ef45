"""Refunds, transfers, disputes, holds and empty accounts in random order: our rows equal what the double has."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal

import pytest

from auctioncraft.core.errors import DomainError
from payments.models import Payment, Payout, TransferReversal
from payments.models.payments import RefundQuerySet
from payments.services import held_payouts, refunds, transfers
from payments.tests.conftest import broken_invariants, make_due, post_event, request_intent, sell
from payments.tests.connect_helpers import onboarded

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 25
FAULTS = ("500", "429", "reset", "timeout_after_create")


class Market:
    """Three paid orders of one seller, and what can happen to their money. `careful`: nothing that staff decide."""

    def __init__(self, double, client, seller, bidder, staff, as_user, seed, *, careful):
        self.double, self.client, self.seller, self.staff = double, client, seller, staff
        self.chance, self.events = random.Random(seed), 0
        self.acts = [self.refund, self.refund, self.transfer, self.send_refunds, self.empty, self.fault]
        self.acts += [] if careful else [self.force, self.refund_in_dashboard, self.dispute, self.hold]
        self.buyer = as_user(bidder)
        self.pay(sell(seller, bidder, "100"))
        self.account = onboarded(seller)  # from now on payments have a destination
        for _ in range(2):
            self.pay(sell(seller, bidder, "100"))
        self.payouts = list(Payout.objects.order_by("pk"))

    def pay(self, product):
        self.double.confirm(request_intent(self.buyer, product).json()["payment_intent_id"])
        assert request_intent(self.buyer, product).json()["code"] == "order_paid"

    def any_payout(self):
        return self.chance.choice(self.payouts)

    def some_amount(self):
        return Decimal(self.chance.choice((1, 7, 33, 50))) if self.chance.random() < 0.8 else None

    def refund(self, force_reason=""):
        actor = self.staff if force_reason else self.seller
        request = refunds.RefundRequest(amount=self.some_amount(), force_reason=force_reason)
        with suppress(DomainError):
            refunds.refund_order(order_id=self.any_payout().order_id, actor=actor, request=request)

    def force(self):
        self.refund(force_reason="They insist.")

    def transfer(self):
        make_due()
        transfers.send_due()

    def send_refunds(self):
        make_due()
        refunds.send_due()

    def empty(self, is_empty=None):
        is_empty = is_empty or self.chance.choice(("true", "false"))
        self.double.post(f"/_double/accounts/{self.account.stripe_account_id}", empty=is_empty)

    def fault(self):
        path = self.chance.choice(("/v1/transfers", "/v1/refunds"))
        self.double.fail_next(self.chance.choice(FAULTS), path=path)

    def hold(self):
        with suppress(DomainError):
            change = self.chance.choice((held_payouts.hold, held_payouts.release))
            change(payout_id=self.any_payout().pk, actor=self.staff, reason="x")

    def intent_of(self, payout):
        return Payment.objects.get(order_id=payout.order_id, status="succeeded").stripe_intent_id

    def refund_in_dashboard(self):
        payout = self.any_payout()
        self.disarm()
        self.double.post("/v1/refunds", payment_intent=self.intent_of(payout), amount=1100)
        self.deliver("charge.refunded", {"object": "charge", "payment_intent": self.intent_of(payout)})

    def dispute(self):
        charge = self.double.intent(self.intent_of(self.any_payout()))["latest_charge"]
        dispute = self.double.post(f"/_double/charges/{charge}/dispute", amount=2000)
        if "id" in dispute:
            self.deliver("charge.dispute.created", dispute)
            outcome = self.chance.choice(("won", "lost"))
            dispute = self.double.post(f"/_double/disputes/{dispute['id']}/close", outcome=outcome)
            self.deliver("charge.dispute.closed", dispute)

    def deliver(self, kind, subject):
        self.events += 1
        event = {"id": f"evt_{self.events}", "object": "event", "type": kind, "livemode": False}
        self.disarm()
        assert post_event(self.client, {**event, "data": {"object": subject}}).status_code == 200

    def disarm(self):
        """Forget the fault, which is meant for our own requests."""
        self.double.post("/_double/faults", next="")

    def settle(self):
        """Let everything that can end come to its end."""
        self.disarm()
        self.empty("false")
        with suppress(DomainError):
            held_payouts.release(payout_id=self.payouts[0].pk, actor=self.staff, reason="x")
        for _ in range(4):
            self.transfer()
            self.send_refunds()

    def balance(self):
        """Return what the platform has at Stripe, in cents."""
        found = self.double.get("/v1/balance")
        return sum(each["amount"] for part in ("available", "pending") for each in found[part])

    def sellers_at_stripe(self):
        """Return what the seller has of each payout at Stripe, in cents."""
        sent = self.double.get("/v1/transfers", destination=self.account.stripe_account_id, limit=100)["data"]
        net = {}
        for transfer in sent:
            charge = self.double.get(f"/v1/charges/{transfer['source_transaction']}")
            fee = charge["application_fee_amount"] or 0
            intent = charge["payment_intent"]
            net[intent] = net.get(intent, 0) + transfer["amount"] - transfer["amount_reversed"] - fee
        return [net.get(self.intent_of(payout), 0) for payout in self.payouts]


@pytest.fixture
def market(double, client, seller, bidder, staff, as_user, settings):
    settings.STRIPE_CONNECT, settings.SELLER_COMMISSION_PERCENT = True, Decimal(10)

    def make(seed, *, careful):
        return Market(double, client, seller, bidder, staff, as_user, seed, careful=careful)

    return make


def seeds(first, count):
    """Return the seeds of a push, and as many more as make `count` at night."""
    nightly = [pytest.param(seed, marks=pytest.mark.nightly) for seed in range(first + 2, first + count)]
    return [first, first + 1, *nightly]


@pytest.mark.parametrize("seed", seeds(0, 20))
def test_platform_never_pays_unless_staff_decide(market, seed):
    scene = market(seed, careful=True)
    for _ in range(STEPS):
        scene.chance.choice(scene.acts)()
        assert scene.balance() >= 0
    scene.settle()
    check_settled(scene)
    assert scene.balance() >= 0


@pytest.mark.parametrize("seed", seeds(100, 20))
def test_rows_equal_stripe_whatever_happens(market, seed):
    scene = market(seed, careful=False)
    for _ in range(STEPS):
        scene.chance.choice(scene.acts)()
    scene.settle()
    check_settled(scene)


@pytest.mark.nightly
def test_platform_pays_when_refunds_do_not_wait(market, double, monkeypatch):
    """The negative control: refunds are sent whether or not the seller's share came back."""
    monkeypatch.setattr(RefundQuerySet, "sendable", RefundQuerySet.pending)
    monkeypatch.setattr(transfers, "_fail_refunds", lambda _reversal: None)
    scene = market(0, careful=True)
    balances = []
    for _ in range(STEPS):
        scene.chance.choice(scene.acts)()
        balances.append(scene.balance())
    assert min(balances) < 0


def check_settled(scene):
    """Assert that our rows equal Stripe's, and that nobody has too much."""
    assert broken_invariants() == []
    payouts = [Payout.objects.get(pk=payout.pk) for payout in scene.payouts]
    assert [int(payout.transferred * 100) for payout in payouts] == scene.sellers_at_stripe()
    assert [payout.owed >= 0 for payout in payouts] == [True] * 3
    assert not TransferReversal.objects.pending().exists()

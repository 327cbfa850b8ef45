"""The base of the state machine: every step runs in the software and in the model, and the results are compared."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar
from unittest import mock

from django.conf import settings
from django.db import transaction
from django.test import override_settings
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from accounts.models import User
from auctioncraft.core.errors import DomainError
from auctioncraft.core.invariants import all_invariants, run
from payments import stripe_gateway
from simulation.simulated_clock import SimulatedClock
from tests import factories
from tests.state_machine.model_bids import HOUR, US, Refused
from tests.state_machine.model_market import Market
from tests.state_machine.reference_checks import EPOCH, differences, moment

SELLERS, BIDDERS = ("sue", "sam"), ("ann", "bob", "cid", "dee")
EVERYBODY = (*BIDDERS, *SELLERS, "staff", "eve")
# Mostly allowed, sometimes not.
A_BIDDER = st.sampled_from(BIDDERS * 4 + ("seller", "eve"))
A_SELLER = st.sampled_from(("seller",) * 9 + ("staff",) * 4 + ("ann", "eve"))
STAFF = st.sampled_from(("staff",) * 9 + ("ann", "seller"))
LOT = st.integers(0, 5)  # which of those that the rule is for, from the newest; any lot for the last
CHECK_EVERY = 40  # steps
ON_TIME = 9  # the invariant that needs a running worker


def canceled_intent(intent_id):
    """Answer as Stripe does to a cancellation; only the rule `pay` brings money."""
    return stripe_gateway.Intent(intent_id, "", "canceled", 0, 0, "USD", livemode=False, metadata={})


class Marketplace(RuleBasedStateMachine):
    """What all rules share: the two markets, and `act`."""

    steps: ClassVar[Counter] = Counter()  # by what was done
    outcomes: ClassVar[Counter] = Counter()  # and by what came of it

    def __init__(self):
        super().__init__()
        self.market = Market()
        self.done = 0
        self.stack = ExitStack()
        self.stack.enter_context(override_settings())
        self.clock = self.stack.enter_context(SimulatedClock(EPOCH))
        whole = transaction.atomic()
        whole._from_testcase = True  # as TestCase says of its own: inside, a block may be durable
        self.stack.enter_context(whole)
        asked = {"retrieve_intent": canceled_intent, "cancel_intent": canceled_intent}
        self.stack.enter_context(mock.patch.multiple(stripe_gateway, **asked))
        self.people = {
            name: User(email=f"{name}@example.com", display_name=name, is_staff=name == "staff") for name in EVERYBODY
        }
        User.objects.bulk_create(self.people.values())
        self.names = {user.pk: name for name, user in self.people.items()}
        self.category = factories.category()

    @initialize(ban=st.sampled_from((1, 2, 3)), bands=st.sampled_from(((), ((0, 10), (20, 5)))))
    def set_up_the_market(self, ban, bands):
        self.set_rules(window=120, extension=120, bands=bands)
        settings.OFFLINE_PAYMENTS = True  # odd sums
        self.market.ban = settings.STRIKES_BEFORE_BAN = ban

    def set_rules(self, *, window, extension, bands):
        market = self.market
        market.window, market.extension, market.bands = window, extension, bands
        settings.SOFT_CLOSE_WINDOW = timedelta(seconds=window)
        settings.SOFT_CLOSE_EXTENSION = timedelta(seconds=extension)
        settings.BUYERS_PREMIUM_BANDS = tuple((Decimal(start), Decimal(percent)) for start, percent in bands)

    def teardown(self):
        try:
            if sys.exc_info()[0] is None:
                self.run_due("all")
                self.compare(self.market.lots)
                self.check_invariants_of_apps()
        finally:
            transaction.set_rollback(True)
            self.stack.close()

    # --- doing and comparing ---------------------------------------------------------------------------------------

    def act(self, what, model, real, touched=(), *, details="", learn=None):
        """Do a step in both and compare; return both answers, or None if both refused it with the same code.

        `learn` is given both answers before anything is compared: the ids that the database chose.
        """
        before = {lot.id: len(lot.events) for lot in self.market.lots}
        expected, refused = _answer(model, Refused)
        answered, code = _answer(real, DomainError)
        outcome = refused.code if refused else "ok"
        note(f"{self.market.now / US:.6f} s: {what} {details} -> {outcome}")
        self.steps[what] += 1
        self.outcomes[what, outcome] += 1
        if (code and code.code) != (refused and refused.code):
            raise AssertionError(f"{what} {details}: {code.code if code else 'ok'}, expected {outcome}") from code
        if learn and not refused:
            learn(expected, answered)
        moved = [lot for lot in self.market.lots if len(lot.events) != before.get(lot.id)]
        self.compare([*touched, *(lot for lot in moved if lot not in touched)])
        self.done += 1
        if self.done % CHECK_EVERY == 0:
            self.check_invariants_of_apps()
        return None if refused else (expected, answered)

    def compare(self, touched):
        wrong = differences(self.market, self.names, touched)
        assert not wrong, "\n".join(wrong)

    def check_invariants_of_apps(self):
        invariants = [invariant for invariant in all_invariants() if ON_TIME not in invariant.numbers]
        found = {result.invariant.name: result.findings for result in run(invariants) if result.findings}
        assert not found, found

    # --- choosing --------------------------------------------------------------------------------------------------

    def lot(self, number, fit=None):
        """Return a lot that is `fit` for a rule (open for bids, unless said otherwise), if there is one; or any lot."""
        lots = self.market.lots
        good = [] if number == 5 else [lot for lot in lots if (fit or self.is_open)(lot)]
        return (good or lots)[-1 - number % len(good or lots)]

    def is_open(self, lot):
        return not lot.deleted and lot.status == "open" and lot.starts <= self.market.now < lot.ends

    def any_lot(self, fit):
        return any(fit(lot) for lot in self.market.lots)

    @staticmethod
    def called(who, lot):
        return lot.terms.seller if who == "seller" else who

    def deadlines(self):
        """Return all future times at which something changes by itself."""
        found = set()
        for lot in self.market.lots:
            if lot.status == "open" and not lot.deleted:
                found |= {lot.starts, lot.ends, lot.ends - lot.terms.window * US, lot.hard}
            if lot.result == "reserve_not_met" and not lot.deleted:
                found.add(lot.closed + 48 * HOUR)
            found |= {offer.until for offer in lot.offers if offer.status == "offered"}
        for order in self.market.orders:
            if order.status == "awaiting_payment":
                found |= {order.opened + 24 * HOUR, order.opened + 48 * HOUR, order.due}
        return sorted(at for at in found if at > self.market.now)

    def move_to(self, at):
        if at > self.market.now:
            self.market.now = at
            self.clock.move_to(moment(at))


def _answer(act, refusal):
    """Return (the answer, None) or (None, the refusal)."""
    try:
        return act(), None
    except refusal as refused:
        return None, refused
